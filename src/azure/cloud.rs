//! Clouds: where Azure is.

use url::Url;

use super::Error;
use super::limits::Limits;

/// One cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Name for people.
    pub name: String,
    /// Azure Resource Manager.
    pub resource_manager: Url,
    /// What a token must be for, without `/.default`.
    pub audience: String,
    /// Microsoft Entra ID; `AZURE_AUTHORITY_HOST` wins over it.
    pub authority_host: Url,
    /// Microsoft Graph; tokens for it have it as their audience.
    pub graph: Url,
    /// Domains of exec's second address; see [`Cloud::public`].
    pub exec_domains: Vec<String>,
    /// Certificates that are trusted, and no others; empty: the system's roots.
    pub ca_pem: Vec<u8>,
    /// Request limits that this client keeps by itself.
    pub(super) limits: Limits,
}

impl Cloud {
    /// Azure's public cloud.
    ///
    /// Graph: <https://learn.microsoft.com/graph/deployments>.
    /// Entra ID: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>.
    /// Exec answers with a host such as `X.eastus.atlas.cloudapp.azure.com`:
    /// <https://learn.microsoft.com/powershell/module/az.containerinstance/add-azcontainerinstanceoutput>.
    pub fn public() -> Result<Self, Error> {
        Self::documented(
            "public",
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://graph.microsoft.com",
            "atlas.cloudapp.azure.com",
        )
    }

    /// Azure in China: <https://learn.microsoft.com/azure/china/resources-developer-guide>.
    ///
    /// No page shows an exec host of this cloud: all of its domain for machines is taken.
    pub fn china() -> Result<Self, Error> {
        Self::documented(
            "china",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://microsoftgraph.chinacloudapi.cn",
            "cloudapp.chinacloudapi.cn",
        )
    }

    /// Azure Government:
    /// <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>.
    ///
    /// No page shows an exec host of this cloud: all of its domain for machines is taken.
    pub fn usgov() -> Result<Self, Error> {
        Self::documented(
            "usgov",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://graph.microsoft.us",
            "cloudapp.usgovcloudapi.net",
        )
    }

    /// A cloud of one's own, such as local Azure: exec's second address is on the host of
    /// `resource_manager`, and no limits are published.
    pub fn custom(
        resource_manager: Url,
        audience: impl Into<String>,
        authority_host: Url,
        graph: Url,
        ca_pem: Vec<u8>,
    ) -> Self {
        Self {
            name: "custom".to_owned(),
            audience: audience.into(),
            exec_domains: resource_manager.host_str().map(str::to_owned).into_iter().collect(),
            resource_manager,
            authority_host,
            graph,
            ca_pem,
            limits: Limits::none(),
        }
    }

    fn documented(
        name: &str,
        arm: &str,
        authority: &str,
        graph: &str,
        exec: &str,
    ) -> Result<Self, Error> {
        let url = |raw: &str| Url::parse(raw).map_err(|_| Error::Endpoint(raw.to_owned()));
        Ok(Self {
            name: name.to_owned(),
            resource_manager: url(arm)?,
            audience: arm.to_owned(),
            authority_host: url(authority)?,
            graph: url(graph)?,
            exec_domains: vec![exec.to_owned()],
            ca_pem: Vec::new(),
            limits: Limits::published(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_clouds_have_https_endpoints_of_their_own() {
        let clouds = [Cloud::public(), Cloud::china(), Cloud::usgov()].map(Result::unwrap);
        for cloud in &clouds {
            assert_eq!(cloud.resource_manager.scheme(), "https");
            assert_eq!(cloud.authority_host.scheme(), "https");
            assert_eq!(cloud.graph.scheme(), "https");
            assert_eq!(cloud.resource_manager.as_str(), format!("{}/", cloud.audience));
        }
        assert_ne!(clouds[0].authority_host, clouds[2].authority_host);
    }
}
