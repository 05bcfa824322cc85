//! The home itself.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Blobs, Edit, Expected, Store, encode, fault, read};
use crate::core::Fault;
use crate::ports::{HomeIdentity, Lease, Random, Seat, Secrets as _};

const HOME: &str = "home";
const HEARTBEAT: &str = "heartbeat";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Home {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<String>,
    /// Where the home has moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<String>,
}

impl Home {
    /// A new one.
    fn new(id: String) -> Self {
        Self { id, cloud: None, moved_to: None }
    }
}

/// The id of the home in `blobs`; a new home gets one.
pub(super) async fn identify(blobs: &dyn Blobs, random: &dyn Random) -> Result<String, Fault> {
    if blobs.get(HOME).await?.is_none() {
        let home = Home::new(random.uuid()?);
        blobs.put(HOME, encode(blobs, HOME, &home)?, Expected::Nothing).await?;
    }
    // Whoever was first.
    match read::<Home>(blobs, HOME).await? {
        Some(home) => Ok(home.id),
        None => Err(fault(blobs.place(HOME), &"went away")),
    }
}

#[async_trait]
impl Seat for Store {
    fn id(&self) -> &str {
        &self.id
    }

    async fn pinned_cloud(&self) -> Result<Option<String>, Fault> {
        Ok(self.read::<Home>(HOME).await?.and_then(|home| home.cloud))
    }

    async fn pin_cloud(&self, cloud: &str) -> Result<(), Fault> {
        let mut other = None;
        self.update(HOME, |home: Option<Home>| {
            let home = home.unwrap_or_else(|| Home::new(self.id.clone()));
            other.clone_from(&home.cloud);
            if other.is_some() {
                return Edit::Keep;
            }
            Edit::Write(Home { cloud: Some(cloud.to_owned()), ..home })
        })
        .await?;
        match other {
            Some(pinned) if pinned != cloud => Err(Fault::Store {
                what: self.blobs.place(HOME),
                problem: format!(
                    "this home belongs to the cloud `{pinned}`, not to `{cloud}`: use another \
                     --home"
                ),
            }),
            _ => Ok(()),
        }
    }

    async fn identity(&self) -> Result<HomeIdentity, Fault> {
        let cloud = self.pinned_cloud().await?;
        Ok(HomeIdentity { id: self.id.clone(), cloud, digest_key: self.digest_key().await? })
    }

    async fn assume(&self, identity: &HomeIdentity) -> Result<(), Fault> {
        let HomeIdentity { id, cloud, digest_key } = identity;
        self.set_digest_key(digest_key).await?;
        self.write(HOME, &Home { cloud: cloud.clone(), ..Home::new(id.clone()) }).await
    }

    async fn moved_to(&self) -> Result<Option<String>, Fault> {
        Ok(self.read::<Home>(HOME).await?.and_then(|home| home.moved_to))
    }

    async fn set_moved(&self, place: Option<&str>) -> Result<(), Fault> {
        let moved_to = place.map(str::to_owned);
        self.update(HOME, |home: Option<Home>| {
            home.map_or(Edit::Keep, |home| Edit::Write(Home { moved_to: moved_to.clone(), ..home }))
        })
        .await
    }

    async fn beat(&self, now: DateTime<Utc>) -> Result<(), Fault> {
        self.write(HEARTBEAT, &now).await
    }

    async fn heartbeat(&self) -> Result<Option<DateTime<Utc>>, Fault> {
        self.read(HEARTBEAT).await
    }

    async fn is_taken(&self) -> Result<bool, Fault> {
        self.blobs.is_taken().await
    }

    async fn take(&self) -> Result<Option<Box<dyn Lease>>, Fault> {
        self.blobs.take().await
    }
}
