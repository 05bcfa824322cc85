//! Who we are: the credential chain, and az's default subscription.
//!
//! The order is that of Azure's SDKs, <https://learn.microsoft.com/dotnet/azure/sdk/authentication/credential-chains>,
//! but configuration decides: the first credential that is configured is the one, and when it fails
//! nobody else is tried, or a broken deployment would go on under somebody else's name.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{
    AzureCliCredential, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use serde::Deserialize;
use url::Url;

use self::metadata::Patient;
use super::{Cloud, Error, arm};
use crate::core::fault::describe;
use crate::core::{Credential, Secret as Elided};
use crate::{files, tls};

mod metadata;

/// The variables of Azure's SDKs, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `AZURE_CLIENT_ID`
    pub client_id: Option<String>,
    /// `AZURE_TENANT_ID`
    pub tenant_id: Option<String>,
    /// `AZURE_CLIENT_SECRET`
    pub client_secret: Option<Elided>,
    /// `AZURE_FEDERATED_TOKEN_FILE`
    pub federated_token_file: Option<PathBuf>,
    /// `AZURE_AUTHORITY_HOST`
    pub authority_host: Option<String>,
    /// `IDENTITY_ENDPOINT`: where a service of Azure offers its managed identity.
    pub identity_endpoint: Option<String>,
    /// `AZURE_TOKEN_CREDENTIALS`: `prod` leaves az out, `dev` leaves all but az out.
    pub token_credentials: Option<String>,
    /// `AZURE_SUBSCRIPTION_ID`
    pub subscription_id: Option<String>,
    /// az's directory: `AZURE_CONFIG_DIR`, or `.azure` in `HOME`.
    pub az_directory: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables through `variable`; empty ones are as good as unset.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name| variable(name).filter(|value| !value.is_empty());
        let home = || get("HOME").map(|home| PathBuf::from(home).join(".azure"));
        Self {
            client_id: get("AZURE_CLIENT_ID"),
            tenant_id: get("AZURE_TENANT_ID"),
            client_secret: get("AZURE_CLIENT_SECRET").map(Elided::new),
            federated_token_file: get("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
            authority_host: get("AZURE_AUTHORITY_HOST"),
            identity_endpoint: get("IDENTITY_ENDPOINT"),
            token_credentials: get("AZURE_TOKEN_CREDENTIALS"),
            subscription_id: get("AZURE_SUBSCRIPTION_ID"),
            az_directory: get("AZURE_CONFIG_DIR").map(PathBuf::from).or_else(home),
        }
    }
}

/// The subscription of manifests that name none: `AZURE_SUBSCRIPTION_ID`, else az's default.
///
/// # Errors
/// az's profile is there and cannot be read.
pub fn default_subscription(environment: &Environment) -> Result<Option<String>, Error> {
    if environment.subscription_id.is_some() {
        return Ok(environment.subscription_id.clone());
    }
    let Some(directory) = &environment.az_directory else { return Ok(None) };
    let path = directory.join("azureProfile.json");
    let broken = |problem: String| Error::Profile { path: path.display().to_string(), problem };
    let Some(content) = files::read(&path).map_err(|e| broken(e.to_string()))? else {
        return Ok(None);
    };
    // az writes it with a byte order mark.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    let profile: Profile = serde_json::from_slice(content).map_err(|e| broken(e.to_string()))?;
    Ok(profile.subscriptions.into_iter().find(|s| s.is_default).map(|s| s.id))
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    #[serde(default)]
    is_default: bool,
}

/// The chain: environment, workload identity, managed identity, `az login`.
///
/// Where `IDENTITY_ENDPOINT`, `AZURE_CLIENT_ID` without a secret or token file, or
/// `AZURE_TOKEN_CREDENTIALS=prod` say that there is a managed identity, it is waited for, however late it
/// comes after the start of a container, and `az login` is never tried. Where nothing says so, the
/// metadata service is looked for.
///
/// # Errors
/// What is configured cannot be used.
pub fn chain(cloud: &Cloud, environment: &Environment) -> Result<Arc<dyn TokenCredential>, Error> {
    chain_with(environment, &options(cloud, environment)?)
}

/// The credential of a Secret: its client secret, else the federated token of this process, as Microsoft Entra
/// Workload ID gives it (<https://azure.github.io/azure-workload-identity/docs/>).
///
/// # Errors
/// There is neither, or they cannot be used; why, for people.
pub(super) fn of(
    credential: &Credential,
    environment: &Environment,
    options: &ClientOptions,
) -> Result<Arc<dyn TokenCredential>, String> {
    let of = Environment {
        client_id: Some(credential.client.clone()),
        tenant_id: Some(credential.tenant.clone()),
        client_secret: credential.secret.clone(),
        federated_token_file: environment.federated_token_file.clone(),
        ..Environment::default()
    };
    let told = |error: Error| describe(&error);
    let (name, source) = if of.client_secret.is_some() {
        ("client secret", client_secret(&of, options).map_err(told)?)
    } else if of.federated_token_file.is_some() {
        ("workload identity", workload(&of, options).map_err(told)?)
    } else {
        let problem = "has no key `AZURE_CLIENT_SECRET`, and the operator has no federated token to show \
                       instead (AZURE_FEDERATED_TOKEN_FILE)";
        return Err(problem.to_owned());
    };
    Ok(Arc::new(Chain { links: vec![Link { name, source }] }))
}

/// Where one signs in: `AZURE_AUTHORITY_HOST`, else the cloud's.
///
/// # Errors
/// It is no https URL.
pub fn authority(cloud: &Cloud, environment: &Environment) -> Result<Url, Error> {
    let authority = match &environment.authority_host {
        Some(raw) => Url::parse(raw).map_err(|_| Error::Endpoint(raw.clone()))?,
        None => cloud.authority_host.clone(),
    };
    arm::https(&authority)
}

/// The same, of [`options`] that are there already.
pub(super) fn chain_with(
    environment: &Environment,
    options: &ClientOptions,
) -> Result<Arc<dyn TokenCredential>, Error> {
    Ok(Arc::new(Chain { links: links(environment, options)? }))
}

fn links(environment: &Environment, options: &ClientOptions) -> Result<Vec<Link>, Error> {
    let (production, developer) = match environment.token_credentials.as_deref() {
        Some("prod") => (true, false),
        Some("dev") => (false, true),
        _ => (true, true),
    };
    let mut links = Vec::new();
    if production {
        links.push(Link { name: "environment", source: client_secret(environment, options)? });
        links.push(Link { name: "workload identity", source: workload(environment, options)? });
        let source = managed_identity(environment, !developer)?;
        links.push(Link { name: "managed identity", source });
    }
    if developer {
        let source = Source::configured(|| Ok(AzureCliCredential::new(None)?))?;
        links.push(Link { name: "az login", source });
    }
    Ok(links)
}

fn client_secret(environment: &Environment, options: &ClientOptions) -> Result<Source, Error> {
    let Environment { client_id, tenant_id, client_secret, .. } = environment;
    let (Some(client), Some(tenant), Some(secret)) = (client_id, tenant_id, client_secret) else {
        let unset = [
            ("AZURE_CLIENT_ID", client_id.is_none()),
            ("AZURE_TENANT_ID", tenant_id.is_none()),
            ("AZURE_CLIENT_SECRET", client_secret.is_none()),
        ];
        return Ok(Source::Absent(not_set(&unset)));
    };
    let (client, tenant, options) = (client.clone(), tenant.clone(), options.clone());
    let secret = Secret::new(secret.reveal().to_owned());
    Source::configured(move || {
        let options = ClientSecretCredentialOptions { client_options: options.clone() };
        Ok(ClientSecretCredential::new(&tenant, client.clone(), secret.clone(), Some(options))?)
    })
}

fn workload(environment: &Environment, options: &ClientOptions) -> Result<Source, Error> {
    let Environment { client_id, tenant_id, federated_token_file, .. } = environment;
    let (Some(client), Some(tenant), Some(file)) = (client_id, tenant_id, federated_token_file)
    else {
        let unset = [
            ("AZURE_CLIENT_ID", client_id.is_none()),
            ("AZURE_TENANT_ID", tenant_id.is_none()),
            ("AZURE_FEDERATED_TOKEN_FILE", federated_token_file.is_none()),
        ];
        return Ok(Source::Absent(not_set(&unset)));
    };
    let (client, tenant, options) = (client.clone(), tenant.clone(), options.clone());
    let file = TokenFile(file.clone());
    Source::configured(move || {
        let options = ClientAssertionCredentialOptions { client_options: options.clone() };
        let (tenant, client) = (tenant.clone(), client.clone());
        Ok(ClientAssertionCredential::new(tenant, client, file.clone(), Some(options))?)
    })
}

fn managed_identity(environment: &Environment, alone: bool) -> Result<Source, Error> {
    let client = metadata::client()?;
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: environment.client_id.clone().map(UserAssignedId::ClientId),
        client_options: arm::options(Arc::new(client.clone())),
    };
    let recipe = move || {
        let credential = ManagedIdentityCredential::new(Some(options.clone()))?;
        Ok(Arc::new(Patient(credential)) as Arc<dyn TokenCredential>)
    };
    // A client id alone names a user-assigned identity.
    let Environment { client_id, client_secret, federated_token_file, .. } = environment;
    let named = client_id.is_some() && client_secret.is_none() && federated_token_file.is_none();
    if alone || named || environment.identity_endpoint.is_some() {
        return Source::configured(recipe);
    }
    let service = metadata::Service::new(client, metadata::TOKEN_URL);
    Ok(Source::InAzure(Box::new(recipe), service))
}

fn not_set(variables: &[(&str, bool)]) -> String {
    let unset = variables.iter().filter(|(_, unset)| *unset).map(|(name, _)| *name);
    format!("not set: {}", unset.collect::<Vec<_>>().join(", "))
}

/// How credentials reach the place where one signs in.
pub(super) fn options(cloud: &Cloud, environment: &Environment) -> Result<ClientOptions, Error> {
    let mut configuration = CustomConfiguration::default();
    configuration.authority_host = authority(cloud, environment)?.to_string();
    let client = arm::http_client(&*tls::client_config(&cloud.ca_pem)?)?;
    Ok(ClientOptions {
        cloud: Some(Arc::new(configuration.into())),
        ..arm::options(Arc::new(client))
    })
}

/// A projected token; Kubernetes writes it anew, so it is read each time.
#[derive(Clone, Debug)]
struct TokenFile(PathBuf);

#[async_trait::async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        tokio::fs::read_to_string(&self.0).await.map_err(|error| {
            let message = format!("the token file `{}` cannot be read", self.0.display());
            azure_core::Error::with_error(ErrorKind::Credential, error, message)
        })
    }
}

#[derive(Debug)]
struct Chain {
    links: Vec<Link>,
}

struct Link {
    name: &'static str,
    source: Source,
}

enum Source {
    /// Not configured, and why.
    Absent(String),
    /// This is the one.
    Configured(Recipe),
    /// This is the one where Azure's metadata service answers.
    InAzure(Recipe, metadata::Service),
}

impl Source {
    /// The credential that `recipe` makes, which is tried once.
    fn configured(
        recipe: impl Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        recipe()?;
        Ok(Self::Configured(Box::new(recipe)))
    }
}

/// Makes a credential, for one token each. A credential keeps its token for as long as it lives,
/// even one that was refused with 401 since; the pipeline keeps a good one and drops such a one.
type Recipe = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut passed = Vec::new();
        for link in &self.links {
            let recipe = match &link.source {
                Source::Configured(recipe) => recipe,
                Source::InAzure(recipe, service) if service.answers().await => recipe,
                Source::InAzure(..) => {
                    passed.push(format!("{}: no metadata service answers", link.name));
                    continue;
                }
                Source::Absent(why) => {
                    passed.push(format!("{}: {why}", link.name));
                    continue;
                }
            };
            return recipe()?.get_token(scopes, options).await.map_err(|error| {
                passed.push(format!("{}: {}", link.name, describe(&error)));
                azure_core::Error::with_error(ErrorKind::Credential, error, passed.join("; "))
            });
        }
        Err(azure_core::Error::with_message(ErrorKind::Credential, passed.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The links of a chain, up to the one that ends it.
    fn order(pairs: &[(&str, &str)]) -> Vec<String> {
        tls::install_provider();
        let environment = environment(pairs);
        let options = options(&Cloud::public().unwrap(), &environment).unwrap();
        let links = links(&environment, &options).unwrap();
        let mut seen = Vec::new();
        for Link { name, source } in links {
            match source {
                Source::Absent(why) => seen.push(format!("{name}: {why}")),
                Source::InAzure(..) => seen.push(format!("{name}?")),
                Source::Configured(_) => {
                    seen.push(name.to_owned());
                    break;
                }
            }
        }
        seen
    }

    #[test]
    fn the_first_that_is_configured_is_the_one() {
        let service = [("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")];
        let with = |more: &[(&'static str, &'static str)]| order(&[&service[..], more].concat());
        assert_eq!(with(&[("AZURE_CLIENT_SECRET", "s")]), ["environment"]);
        assert_eq!(
            with(&[("AZURE_FEDERATED_TOKEN_FILE", "/none")]),
            ["environment: not set: AZURE_CLIENT_SECRET", "workload identity"]
        );
        let bare = order(&[]);
        assert_eq!(bare[2..], ["managed identity?", "az login"]);
        assert!(bare[0].contains("AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET"));
    }

    #[test]
    fn in_azure_nothing_falls_through_to_az() {
        let endpoint = order(&[("IDENTITY_ENDPOINT", "http://127.0.0.1/msi")]);
        assert_eq!(endpoint.last().unwrap(), "managed identity");
        let named = order(&[("AZURE_CLIENT_ID", "user-assigned")]);
        assert_eq!(named.last().unwrap(), "managed identity");
        let told = order(&[("AZURE_TOKEN_CREDENTIALS", "prod")]);
        assert_eq!(told.last().unwrap(), "managed identity");
        assert_eq!(order(&[("AZURE_TOKEN_CREDENTIALS", "dev")]), ["az login"]);
    }

    #[tokio::test]
    async fn the_error_names_every_link() {
        tls::install_provider();
        let variables = [
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent/token"),
        ];
        let chain = chain(&Cloud::public().unwrap(), &environment(&variables)).unwrap();
        let error = chain.get_token(&["https://x/.default"], None).await.unwrap_err().to_string();
        assert!(error.contains("environment: not set: AZURE_CLIENT_SECRET"), "{error}");
        assert!(error.contains("workload identity:"), "{error}");
        assert!(error.contains("/nonexistent/token"), "{error}");
    }

    #[test]
    fn an_authority_without_tls_is_refused() {
        tls::install_provider();
        let environment = environment(&[("AZURE_AUTHORITY_HOST", "http://localhost:1")]);
        let refused = chain(&Cloud::public().unwrap(), &environment);
        assert!(matches!(refused, Err(Error::Endpoint(_))));
    }

    #[test]
    fn secrets_are_not_printed() {
        let environment = environment(&[("AZURE_CLIENT_SECRET", "hunter2")]);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn the_default_subscription() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let variables = [("AZURE_CONFIG_DIR", path)];
        let default = |pairs: &[(&str, &str)]| default_subscription(&environment(pairs));
        assert_eq!(default(&[]).unwrap(), None);
        assert_eq!(default(&variables).unwrap(), None);
        let profile = "\u{feff}{\"subscriptions\":[{\"id\":\"a\",\"isDefault\":false},\
                       {\"id\":\"b\",\"isDefault\":true}]}";
        std::fs::write(dir.path().join("azureProfile.json"), profile).unwrap();
        assert_eq!(default(&variables).unwrap().as_deref(), Some("b"));
        let both = [variables[0], ("AZURE_SUBSCRIPTION_ID", "c")];
        assert_eq!(default(&both).unwrap().as_deref(), Some("c"));
        std::fs::write(dir.path().join("azureProfile.json"), "{").unwrap();
        assert!(matches!(default(&variables), Err(Error::Profile { .. })));
    }
}
