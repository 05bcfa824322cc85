//! The home itself.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Blobs, Edit, Expected, Store, encode, fault, read};
use crate::core::Fault;
use crate::ports::{Lease, Random, Seat};

const HOME: &str = "home";
const HEARTBEAT: &str = "heartbeat";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Home {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<String>,
}

/// The id of the home in `blobs`; a new home gets one.
pub(super) async fn identify(blobs: &dyn Blobs, random: &dyn Random) -> Result<String, Fault> {
    if blobs.get(HOME).await?.is_none() {
        let home = Home { id: random.uuid()?, cloud: None };
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

    fn place(&self) -> String {
        self.blobs.place("")
    }

    async fn pinned_cloud(&self) -> Result<Option<String>, Fault> {
        Ok(self.read::<Home>(HOME).await?.and_then(|home| home.cloud))
    }

    async fn pin_cloud(&self, cloud: &str) -> Result<(), Fault> {
        let mut other = None;
        self.update(HOME, |home: Option<Home>| {
            other = home.and_then(|home| home.cloud);
            match other {
                Some(_) => Edit::Keep,
                None => Edit::Write(Home { id: self.id.clone(), cloud: Some(cloud.to_owned()) }),
            }
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
