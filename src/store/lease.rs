//! Who works on a home in Azure: the lease of one blob
//! (learn.microsoft.com/rest/api/storageservices/lease-blob).

use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{Etag, RequestContent, StatusCode};
use azure_storage_blob::BlobClient;
use azure_storage_blob::models::{
    BlobClientAcquireLeaseOptions, BlobClientGetPropertiesResultHeaders as _,
    BlockBlobClientUploadOptions, LeaseState,
};

use crate::blobs::{code, is_absent, told};
use crate::core::Fault;
use crate::ports::Lease;

/// The shortest that the service gives: how long a home stands still when its daemon has died.
const SECONDS: i32 = 15;

/// A lease that was acquired.
pub(super) struct BlobLease {
    blob: BlobClient,
    place: String,
    id: String,
}

impl BlobLease {
    /// Acquires the lease of `blob`, which is made if need be; `None` where another has it.
    pub(super) async fn take(
        blob: BlobClient,
        place: String,
    ) -> Result<Option<Box<dyn Lease>>, Fault> {
        // Proposed by us: a repeated request whose first answer was lost gets the same lease.
        let id = uuid::Uuid::new_v4().to_string();
        let acquired = match acquire(&blob, &id).await {
            Err(e) if is_absent(&e) => {
                create(&blob).await.map_err(|e| told(&place, e))?;
                acquire(&blob, &id).await
            }
            other => other,
        };
        match acquired {
            Ok(()) => Ok(Some(Box::new(Self { blob, place, id }))),
            Err(e) if code(&e) == "LeaseAlreadyPresent" => Ok(None),
            Err(e) => Err(told(&place, e)),
        }
    }

    /// Whether somebody has the lease of `blob`.
    pub(super) async fn is_taken(blob: &BlobClient, place: String) -> Result<bool, Fault> {
        let failed = |e| told(&place, e);
        match blob.get_properties(None).await {
            Ok(found) => {
                let state = found.lease_state().map_err(failed)?;
                Ok(matches!(state, Some(LeaseState::Leased | LeaseState::Breaking)))
            }
            // A HEAD has no body: its 404 may have no code either.
            Err(e) if e.http_status() == Some(StatusCode::NotFound) => Ok(false),
            Err(e) => Err(failed(e)),
        }
    }
}

async fn acquire(blob: &BlobClient, id: &str) -> azure_core::Result<()> {
    let options = BlobClientAcquireLeaseOptions {
        proposed_lease_id: Some(id.to_owned()),
        ..Default::default()
    };
    blob.acquire_lease(SECONDS, Some(options)).await.map(drop)
}

/// Makes the blob; one that is there is as good.
async fn create(blob: &BlobClient) -> azure_core::Result<()> {
    let options =
        BlockBlobClientUploadOptions { if_none_match: Some(Etag::from("*")), ..Default::default() };
    let made = blob.upload(RequestContent::from(Vec::new()), Some(options)).await;
    match made {
        Err(e) if e.http_status() != Some(StatusCode::Conflict) => Err(e),
        _ => Ok(()),
    }
}

#[async_trait]
impl Lease for BlobLease {
    fn term(&self) -> Option<Duration> {
        Some(Duration::from_secs(SECONDS.unsigned_abs().into()))
    }

    async fn renew(&mut self) -> Result<bool, Fault> {
        match self.blob.renew_lease(self.id.clone(), None).await {
            Ok(_) => Ok(true),
            // Run out and taken by another, broken by hand, or its blob is gone.
            Err(e)
                if matches!(
                    e.http_status(),
                    Some(
                        StatusCode::Conflict
                            | StatusCode::PreconditionFailed
                            | StatusCode::NotFound
                    )
                ) =>
            {
                Ok(false)
            }
            Err(e) => Err(told(&self.place, e)),
        }
    }

    async fn release(self: Box<Self>) {
        if let Err(e) = self.blob.release_lease(self.id.clone(), None).await {
            let fault = told(&self.place, e);
            tracing::debug!(%fault, "the lease is left to run out");
        }
    }
}
