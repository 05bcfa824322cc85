use std::fmt::Write as _;

use super::*;
use crate::api::check::warnings;

const GROUP_TEXT: &str = "\
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {name: app}
spec:
  resourceGroup: mon-groupe
  location: westeurope
  ipAddress: {type: Public, dnsNameLabel: mon-fqdn}
  containers:
  - name: my-api
    image: example.azurecr.io/api:1.0
    ports: [{port: 80}]
    resources: {requests: {cpu: 1, memoryInGB: 1.5}}
    environmentVariables:
    - {name: MODE, value: dev}
    - {name: DB_PASSWORD, secureValueFrom: {secret: {name: db, key: password}}}
    volumeMounts: [{name: scratch, mountPath: /tmp/work}]
  volumes:
  - {name: scratch, emptyDir: {}}
  tls:
    issuerRef: {name: local-ca}
    hosts: [mon-dns.com]
    upstream: {port: 80}
";

const ISSUER_TEXT: &str = "\
apiVersion: aci-operator.io/v1alpha1
kind: Issuer
metadata: {name: local-ca}
spec:
  localCA: {permittedDomains: [mon-dns.com]}
";

const REGISTRATION_TEXT: &str = "\
apiVersion: aci-operator.io/v1alpha1
kind: AppRegistration
metadata: {name: mon-api}
spec:
  displayName: mon-API
  redirectUris: [http://localhost:8000]
  appRoles: [{value: Writer, displayName: W, description: W., allowedMemberTypes: [User]}]
  swagger: {}
  containerGroupRef: {name: app}
  hostGracePeriod: 2h
";

#[test]
fn a_registration_has_one_scope_and_asks_nobody() {
    let parsed = parse(REGISTRATION_TEXT, "api.yaml");
    assert_eq!(parsed.problems, []);
    let Object::AppRegistration(registration) = &parsed.documents[0].object else { panic!() };
    let spec = &registration.spec;
    assert_eq!(spec.scopes[0].value, "user_impersonation");
    assert!(spec.swagger.as_ref().unwrap().pre_authorized && !spec.admin_consent);
}

/// The same for an app registration.
const REGISTRATION_MISTAKES: &[(&str, &str)] = &[
    ("displayName: mon-API", "displayName: ''"),
    ("[http://localhost:8000]", "[http://mon-dns.com, https://a.b/#c, 'https://*.a.b', x]"),
    ("swagger: {}", "swagger: {preAuthorised: true}"),
    ("  swagger: {}\n", "  adminConsent: true\n"),
    ("value: Writer", "value: user_impersonation"),
    ("allowedMemberTypes: [User]", "allowedMemberTypes: [Users]"),
    ("hostGracePeriod: 2h", "hostGracePeriod: 60d"),
    ("hostGracePeriod: 2h", "adopt: {appId: mon-api}"),
    ("hostGracePeriod: 2h", "scopes: [{value: .x}, {value: a}, {value: a}]"),
];

#[test]
fn good_documents_become_objects() {
    let text = format!("# a comment\n---\n{GROUP_TEXT}---\n{ISSUER_TEXT}---\n");
    let parsed = parse(&text, "all.yaml");
    assert_eq!(parsed.problems, []);
    let found: Vec<_> = parsed.documents.iter().map(|d| (d.key.to_string(), d.line)).collect();
    assert_eq!(found, [("ContainerGroup/app".to_owned(), 3), ("Issuer/local-ca".to_owned(), 26)]);
    let Object::ContainerGroup(group) = &parsed.documents[0].object else { panic!() };
    assert_eq!(group.spec.containers[0].ports[0].port, 80);
    assert_eq!(group.spec.tls.as_ref().unwrap().duration, "90d");
}

#[test]
fn json_is_yaml_and_what_get_prints_can_be_applied_again() {
    let text = r#"{"apiVersion": "aci-operator.io/v1alpha1", "kind": "Issuer",
        "metadata": {"name": "ca", "namespace": "default", "uid": "1", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "b"},
            "annotations": {"aci-operator.io/orphaned": "true", "mine": "kept"}},
        "spec": {"localCA": {}}, "status": {"conditions": []}}"#;
    let parsed = parse(text, "ca.json");
    assert_eq!(parsed.problems, []);
    let meta = parsed.documents[0].object.meta();
    assert_eq!(meta.uid, None);
    assert_eq!(meta.annotations.as_ref().unwrap().keys().collect::<Vec<_>>(), ["mine"]);
}

#[test]
fn an_identity_is_written_as_az_takes_it() {
    let id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me";
    for kind in ["UserAssigned", "SystemAssigned, UserAssigned"] {
        let identity =
            format!("  identity:\n    type: {kind}\n    userAssignedIdentities: {{{id}: {{}}}}\n");
        let text = GROUP_TEXT.replace("  tls:\n", &format!("{identity}  tls:\n"));
        let parsed = parse(&text, "app.yaml");
        assert_eq!(parsed.problems, [], "{text}");
        let Object::ContainerGroup(group) = &parsed.documents[0].object else { panic!() };
        let identity = serde_json::json!(group.spec.identity);
        assert_eq!(identity, serde_json::json!({"type": kind, "userAssignedIdentities": {id: {}}}));
    }
}

#[test]
fn images_of_docker_hub_are_warned_of() {
    for (image, warned) in [
        ("nginx", true),
        ("library/nginx:1", true),
        ("docker.io/library/nginx", true),
        ("mcr.microsoft.com/oss/nginx", false),
        ("localhost/api", false),
        ("localhost:5000/api", false),
    ] {
        let text = GROUP_TEXT.replace("example.azurecr.io/api:1.0", image);
        let parsed = parse(&text, "a.yaml");
        assert_eq!(warnings(&parsed.documents[0].object).len(), usize::from(warned), "{image}");
    }
}

/// Mistakes: what is replaced in the good text, and by what.
const MISTAKES: &[(&str, &str)] = &[
    ("dnsNameLabel", "dnsNameLable"),
    ("kind: ContainerGroup", "kind: ContainerGroups"),
    ("v1alpha1", "v1"),
    ("metadata: {name: app}", "metadata: {name: My_App}"),
    ("metadata: {name: app}", "metadata: {name: app, namespace: prod}"),
    ("value: dev", "value: 8080"),
    ("value: dev", "value: dev, secureValueFrom: {secret: {name: a, key: b}}"),
    (", secureValueFrom: {secret: {name: db, key: password}}", ", secureValue: hunter2-geheim"),
    ("cpu: 1", "cpu: hunter2-geheim"),
    ("cpu: 1", "cpu: 0"),
    ("ports: [{port: 80}]", "ports: {port: 80}"),
    ("ports: [{port: 80}]", "ports: [{port: 70000}, {port: 22}]"),
    ("ports: [{port: 80}]", "ports: [{port: 443, protocol: tcp}]"),
    ("ports: [{port: 80}]", "ports: [{port: 443}, {port: 3390}]"),
    ("type: Public", "type: public"),
    ("type: Public", "type: Private"),
    ("type: Public", "type: Public, ports: [{port: 443}]"),
    ("name: scratch, mountPath", "name: scratsh, mountPath"),
    ("emptyDir: {}", "emptyDir: {}, azureFile: {shareName: x}"),
    (
        "  - {name: scratch, emptyDir: {}}",
        "  - {name: scratch}\n  - {name: aci-operator-x, emptyDir: {}}",
    ),
    ("hosts: [mon-dns.com]", "hosts: [https://mon-dns.com, 10.0.0.1]\n    duration: 5s"),
    ("upstream: {port: 80}", "upstream: {port: 443}"),
    ("  location: westeurope\n", ""),
    ("  location: westeurope", "  location: westeurope\n  location: northeurope"),
    (
        "  location: westeurope",
        "  location: westeurope\n  osType: Windows\n  tags: {'a/b': c, Aci-Operator-Owner: me}",
    ),
    ("  location: westeurope", "  location: westeurope\n  properties: {sku: Standard}"),
    ("  location: westeurope", "  location: [westeurope"),
    ("  location: westeurope", "\tlocation: westeurope"),
    ("  - name: my-api", "  - image: x/y\n    resources: {}\n    name: my-api\n    name2: z"),
    ("apiVersion: aci-operator.io/v1alpha1\n", "api-version: '2021-10-01'\n"),
    (
        "apiVersion: aci-operator.io/v1alpha1\nkind: ContainerGroup",
        "type: Microsoft.ContainerInstance/containerGroups",
    ),
    ("location: westeurope\n", "location: westeurope\n  identity: {type: UserAssigned}\n"),
    (
        "location: westeurope\n",
        "location: westeurope\n  identity: {type: SystemAssigned, userAssignedIdentities: {me: {}}}\n",
    ),
    ("location: westeurope\n", "location: westeurope\n  identity: {type: userassigned}\n"),
];

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let mut told = String::new();
    let mut tell = |title: &str, text: &str| {
        let parsed = parse(text, "app.yaml");
        assert!(!parsed.problems.is_empty(), "{title}");
        let _ = writeln!(told, "# {title}");
        for problem in parsed.problems {
            let _ = writeln!(told, "{problem}");
        }
    };
    for (good, bad) in MISTAKES {
        assert!(GROUP_TEXT.contains(good), "{good}");
        tell(bad, &GROUP_TEXT.replacen(good, bad, 1));
    }
    for bad in ["acme: {server: x}", "localCA: {}\n  provided: {secretRef: {name: x}}", "{}"] {
        tell(bad, &ISSUER_TEXT.replace("localCA: {permittedDomains: [mon-dns.com]}", bad));
    }
    for (good, bad) in REGISTRATION_MISTAKES {
        assert!(REGISTRATION_TEXT.contains(good), "{good}");
        tell(bad, &REGISTRATION_TEXT.replacen(good, bad, 1));
    }
    tell("a list", "- a\n- b\n");
    tell("an alias", "a: *nothing");
    assert!(!told.lines().any(|line| !line.starts_with('#') && line.contains("hunter2")), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn a_bad_document_spares_the_others_and_is_named() {
    let bad = GROUP_TEXT.replace("cpu: 1", "cpu: 0");
    let parsed = parse(&format!("{bad}---\n{ISSUER_TEXT}"), "all.yaml");
    assert_eq!(parsed.documents.len(), 1);
    assert_eq!(parsed.problems[0].key, Some(ObjectKey::new("ContainerGroup", "app")));
}

#[test]
fn an_alias_bomb_ends() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = i - 1;
        let all = vec![format!("*a{before}"); 10].join(", ");
        let _ = writeln!(text, "a{i}: &a{i} [{all}]");
    }
    let parsed = parse(&text, "bomb.yaml");
    assert!(parsed.problems[0].message.contains("too large"), "{}", parsed.problems[0]);
    let deep = "[".repeat(100_000);
    assert_eq!(parse(&deep, "deep.yaml").problems.len(), 1);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, "x.yaml");
    }

    #[test]
    fn no_cut_or_mixed_text_panics(cut in 0..GROUP_TEXT.len(), at in 0..GROUP_TEXT.len(), insert in "[-\\[\\]{}:,&*!|>'\"%@`?# \n\ta0~]{0,8}") {
        let (start, end) = (cut.min(at), cut.max(at));
        let _ = parse(&format!("{}{insert}{}", &GROUP_TEXT[..start], &GROUP_TEXT[end..]), "x.yaml");
        let _ = parse(&GROUP_TEXT[..cut], "x.yaml");
    }
}
