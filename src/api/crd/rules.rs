//! Rules across fields in CEL, with the words of [`crate::api::check`].
//!
//! An API server estimates the cost of a rule from the bounds of what it walks, so a rule over a list
//! needs `maxItems` and `maxLength` there.
//! <https://kubernetes.io/docs/reference/using-api/cel/>

/// One rule.
pub(super) struct Rule {
    /// Where it stands, such as `spec.containers[]`; empty for the whole object.
    pub(super) at: &'static str,
    /// What holds, `self` being what stands there.
    pub(super) holds: &'static str,
    /// What is wrong where it does not.
    pub(super) message: &'static str,
    /// The field below it that the problem is told of; empty for the place itself.
    pub(super) field: &'static str,
}

const fn rule(at: &'static str, holds: &'static str, message: &'static str) -> Rule {
    Rule { at, holds, message, field: "" }
}

impl Rule {
    const fn of(self, field: &'static str) -> Self {
        Self { field, ..self }
    }
}

/// What names the thing in Azure stays once it is claimed; ARM compares without case. A field that
/// was left out is what the first claim pinned.
const IMMUTABLE: &str =
    "names the thing in Azure and cannot change: delete the object and create it anew";
const RESERVED_PORT: &str = "is reserved by Azure: take another";
const RESERVED_NAME: &str = "names that begin with `aci-operator-` are the operator's";
const FREE_PORT: &str = "self.port != 22 && !(self.port >= 1025 && self.port <= 1027) \
     && !(self.port >= 3389 && self.port <= 3399) && self.port != 9999 \
     && !(self.port in [19000, 19080, 19100, 19390]) && !(self.port >= 20000 && self.port <= 30000) \
     && !(self.port >= 49152 && self.port <= 65534)";
const UNIQUE_PORTS: &str = "self.all(port, self.exists_one(other, other.port == port.port \
     && (has(other.protocol) && other.protocol == 'UDP') \
     == (has(port.protocol) && port.protocol == 'UDP')))";
const SHARED_PORTS: &str = "the containers of a group share its ports: one is taken twice";
const ONE_PROBE: &str = "[has(self.exec), has(self.httpGet)].exists_one(given, given)";
const PROBE: &str = "needs exactly one of `exec` and `httpGet`";
const DURATION: &str = r"self.matches('^(0|( *[0-9]+ *[a-zA-Zµ]+ *)+)$')";
const NO_DURATION: &str = "is no duration: write it as `90d` or `12h`";
const NO_ADDRESS: &str = "!isIP(self)";
const ADDRESS: &str = "is an IP address; addresses are added by the operator";
const NO_DNS_NAME: &str = "has a label which is not one of a DNS name";
const DNS_NAME: &str = r"self.matches('^([*][.])?[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$')";

pub(super) const EVERY_KIND: &[Rule] = &[rule(
    "",
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name: must have 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either \
     end",
)];

pub(super) const CONTAINER_GROUP: &[Rule] = &[
    rule(
        "",
        "!has(oldSelf.status) || !has(oldSelf.status.claim) || !has(oldSelf.status.claim.phase) \
         || oldSelf.status.claim.phase == 'Seen' \
         || self.spec.resourceGroup.lowerAscii() == oldSelf.spec.resourceGroup.lowerAscii()",
        IMMUTABLE,
    )
    .of(".spec.resourceGroup"),
    rule(
        "",
        "!has(self.spec.subscriptionId) || !has(oldSelf.status) || !has(oldSelf.status.claim) \
         || !has(oldSelf.status.claim.phase) || oldSelf.status.claim.phase == 'Seen' \
         || (has(oldSelf.spec.subscriptionId) \
         ? self.spec.subscriptionId.lowerAscii() == oldSelf.spec.subscriptionId.lowerAscii() \
         : !has(oldSelf.status.claim.pinned) || !('subscriptionId' in oldSelf.status.claim.pinned) \
         || self.spec.subscriptionId.lowerAscii() \
         == oldSelf.status.claim.pinned['subscriptionId'].lowerAscii())",
        IMMUTABLE,
    )
    .of(".spec.subscriptionId"),
    rule("spec.tags", "self.all(name, !name.matches('^(?i)aci-operator-'))", RESERVED_NAME),
    rule(
        "spec.tags",
        "self.all(name, name.matches('^[^<>%&?/\\\\\\\\]{1,512}$'))",
        r"a tag's name has 1 to 512 characters and none of `< > % & \ ? /`",
    ),
    rule("spec.containers[]", "self.name != 'aci-operator-tls'", SIDECAR).of(".name"),
    rule("spec.containers[].ports", UNIQUE_PORTS, SHARED_PORTS),
    rule("spec.containers[].ports[]", FREE_PORT, RESERVED_PORT).of(".port"),
    rule(
        "spec.containers[].environmentVariables[]",
        "[has(self.value), has(self.valueFrom), has(self.secureValueFrom)].exists_one(given, given)",
        "needs exactly one of `value`, `valueFrom` and `secureValueFrom`",
    ),
    rule(
        "spec.containers[].volumeMounts",
        "self.all(mount, self.exists_one(other, other.mountPath == mount.mountPath))",
        "another mount's path before it is the same",
    ),
    rule("spec.containers[].livenessProbe", ONE_PROBE, PROBE),
    rule("spec.containers[].readinessProbe", ONE_PROBE, PROBE),
    rule(
        "spec.volumes[]",
        "[has(self.emptyDir), has(self.secret)].exists_one(given, given)",
        "needs exactly one of `emptyDir` and `secret`",
    ),
    rule("spec.volumes[]", "!self.name.startsWith('aci-operator-')", RESERVED_NAME).of(".name"),
    rule(
        "spec.volumes[].secret",
        "self.all(name, name.size() > 0 && !name.contains('/') && name != '.' && name != '..')",
        "is no file name",
    ),
    rule(
        "spec.identity",
        "(self.type == 'SystemAssigned') == (!has(self.userAssignedIdentities) \
         || self.userAssignedIdentities.size() == 0)",
        "`UserAssigned` names identities here, `SystemAssigned` alone names none",
    )
    .of(".userAssignedIdentities"),
    rule(
        "spec.identity.userAssignedIdentities",
        "self.all(id, id.matches('^(?i)/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft[.]ManagedIdentity/userAssignedIdentities/[^/]+$'))",
        "is no resource id of an identity: `az identity show --query id` prints it",
    ),
    rule(
        "spec",
        "self.osType == 'Linux' || !has(self.volumes) || self.volumes.all(volume, !has(volume.secret))",
        "needs `osType: Linux`",
    )
    .of(".volumes"),
    rule(
        "spec",
        "self.containers.all(container, !has(container.volumeMounts) \
         || container.volumeMounts.all(mount, (has(self.tls) && mount.name == 'aci-operator-origins') \
         || (has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))))",
        "no volume of `spec.volumes` has the name that a mount gives",
    )
    .of(".containers"),
    rule(
        "spec",
        "!has(self.volumes) || self.volumes.size() <= 17 || !self.containers.exists(container, \
         has(container.volumeMounts) && container.volumeMounts.exists(mount, mount.name == \
         'aci-operator-origins'))",
        "the operator adds 3 to these, and a group has at most 20",
    )
    .of(".volumes"),
    rule(
        "spec.ipAddress",
        "self.type == 'Public' || !has(self.dnsNameLabel)",
        "only a `Public` address has a name",
    )
    .of(".dnsNameLabel"),
    rule(
        "spec.ipAddress",
        "self.type == 'Public' || !has(self.autoGeneratedDomainNameLabelScope)",
        "only a `Public` address has a name",
    )
    .of(".autoGeneratedDomainNameLabelScope"),
    rule("spec.ipAddress.ports", UNIQUE_PORTS, "another port before it is the same"),
    rule("spec.ipAddress.ports[]", FREE_PORT, RESERVED_PORT).of(".port"),
    rule(
        "spec",
        "!has(self.tls) || !has(self.ipAddress) || !has(self.ipAddress.ports) \
         || self.ipAddress.ports.size() == 0",
        "with `tls` the sidecar's 443 is published and nothing else: leave it out",
    )
    .of(".ipAddress.ports"),
    rule(
        "spec",
        "has(self.tls) || !has(self.ipAddress) || (has(self.ipAddress.ports) \
         && self.ipAddress.ports.size() > 0)",
        "without `tls` it needs `ports`",
    )
    .of(".ipAddress"),
    rule(
        "spec",
        "has(self.tls) || !has(self.ipAddress) || !has(self.ipAddress.ports) \
         || self.ipAddress.ports.all(published, self.containers.exists(container, \
         has(container.ports) && container.ports.exists(port, port.port == published.port \
         && (has(port.protocol) && port.protocol == 'UDP') \
         == (has(published.protocol) && published.protocol == 'UDP'))))",
        "no container lists this port, and Azure wants that one does",
    )
    .of(".ipAddress.ports"),
    rule(
        "spec",
        "self.containers.all(container, !has(container.ports) || container.ports.all(port, \
         self.containers.exists_one(other, has(other.ports) && other.ports.exists(taken, \
         taken.port == port.port && (has(taken.protocol) && taken.protocol == 'UDP') \
         == (has(port.protocol) && port.protocol == 'UDP')))))",
        SHARED_PORTS,
    )
    .of(".containers"),
    rule(
        "spec",
        "!has(self.tls) || has(self.ipAddress)",
        "needs an `ipAddress`: nobody could reach the sidecar",
    )
    .of(".tls"),
    rule("spec", "!has(self.tls) || self.osType == 'Linux'", "the sidecar of `tls` needs `Linux`")
        .of(".osType"),
    rule(
        "spec",
        "!has(self.tls) || (self.tls.upstream.port != 443 && !self.containers.exists(container, \
         has(container.ports) && container.ports.exists(port, port.port == 443 \
         && (!has(port.protocol) || port.protocol == 'TCP'))))",
        "443 is the sidecar's: let the container listen on another port",
    )
    .of(".tls.upstream.port"),
    rule("spec.tls.hosts[]", NO_ADDRESS, ADDRESS),
    rule("spec.tls.hosts[]", DNS_NAME, NO_DNS_NAME),
    rule("spec.tls.duration", DURATION, NO_DURATION),
];

const SIDECAR: &str = "is the name of the operator's sidecar";

pub(super) const ISSUER: &[Rule] = &[
    rule(
        "spec",
        "[has(self.localCA), has(self.provided)].exists_one(given, given)",
        "needs exactly one of `localCA` and `provided`",
    ),
    rule(
        "spec.localCA.permittedDomains[]",
        "!self.startsWith('*')",
        "a domain permits all names below it: leave out the `*.`",
    ),
    rule("spec.localCA.permittedDomains[]", NO_ADDRESS, ADDRESS),
    rule("spec.localCA.permittedDomains[]", DNS_NAME, NO_DNS_NAME),
];

pub(super) const APP_REGISTRATION: &[Rule] = &[
    rule(
        "spec",
        "!has(self.appRoles) || self.appRoles.all(role, !self.scopes.exists(scope, \
         scope.value == role.value))",
        "is the value of a scope already",
    )
    .of(".appRoles"),
    rule("spec.redirectUris[]", REDIRECT_URI, NO_REDIRECT_URI),
    rule("spec.swagger.redirectUris[]", REDIRECT_URI, NO_REDIRECT_URI),
    rule(
        "spec",
        "!self.adminConsent || has(self.swagger)",
        "is given to Swagger's application: it needs `swagger`",
    )
    .of(".adminConsent"),
    rule(
        "spec",
        "!has(self.adopt) || !has(self.adopt.swaggerAppId) || has(self.swagger)",
        "needs `swagger`",
    )
    .of(".adopt.swaggerAppId"),
    rule("spec.hostGracePeriod", DURATION, NO_DURATION),
];

const REDIRECT_URI: &str = "!self.contains('*') && !self.contains('#') \
     && self.matches(r'^(?i)\\s*(https://.+|http://localhost(:[0-9]*)?([/?].*)?)$')";
const NO_REDIRECT_URI: &str =
    "must begin with `https://`, or `http://localhost`, and have neither a wildcard nor a fragment";
