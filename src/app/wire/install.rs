//! What an installation in Azure is made with.

use std::sync::Arc;

use super::{AUTHORITY, GRAPH, RESOURCE_MANAGER, cloud_named};
use crate::app::{App, CloudName, Error, Result};
use crate::azure::{Azure, credential};
use crate::ports::{ContainerGroups, Fence, Grants, Resources};

/// What an installation in Azure stands on.
pub(in crate::app) struct Ground {
    pub(in crate::app) resources: Arc<dyn Resources>,
    pub(in crate::app) groups: Arc<dyn ContainerGroups>,
    pub(in crate::app) grants: Arc<dyn Grants>,
    /// The subscription in use.
    pub(in crate::app) subscription: Option<String>,
    /// What the operator's container must be told of a cloud that is not the public one.
    pub(in crate::app) environment: Vec<(String, String)>,
}

/// A client of the app's cloud for an installation.
pub(in crate::app) async fn ground(app: &App) -> Result<Ground> {
    let name = app.cloud_of(&app.home().await?).await?;
    let (cloud, variables) = cloud_named(app, name)?;
    let subscription = credential::default_subscription(&variables).map_err(Error::Azure)?;
    let credential = credential::chain(&cloud, &variables).map_err(Error::Azure)?;
    // It belongs to no home: nobody else makes it, whoever works on this machine's.
    let azure = Azure::new(&cloud, credential, Arc::new(|_, _| {}), &Fence::open());
    let azure = azure.map_err(Error::Azure)?;
    let mut environment = Vec::new();
    if name != CloudName::Public {
        environment.push(("ACI_OPERATOR_CLOUD".to_owned(), name.as_str().to_owned()));
    }
    if name == CloudName::Local {
        environment.extend([
            (RESOURCE_MANAGER.to_owned(), cloud.resource_manager.to_string()),
            (AUTHORITY.to_owned(), cloud.authority_host.to_string()),
            (GRAPH.to_owned(), cloud.graph.to_string()),
        ]);
    }
    let grants = Arc::new(azure.grants());
    let azure = Arc::new(azure);
    Ok(Ground { resources: azure.clone(), groups: azure, grants, subscription, environment })
}
