//! The command line as a script uses it.

use std::fs;

use serde_json::Value;

use super::{TLS, World, condition, group, group_with, is_ready, text};

#[test]
fn local_azure_comes_goes_and_tells_how_to_reach_it() {
    let world = World::new();
    let status = |world: &World| -> Value {
        serde_json::from_str(&world.run(&["local", "status", "-o", "json"]).done()).unwrap()
    };
    let first = status(&world);
    assert_eq!(first["engine"], "none");
    world.run(&["local", "up", "--engine", "none"]).done();
    assert_eq!(status(&world), first, "a second `up` starts nothing");

    let variables = world.variables();
    assert_eq!(variables["ACI_OPERATOR_RESOURCE_MANAGER_URL"], first["resourceManager"]);
    assert_eq!(variables["AZURE_AUTHORITY_HOST"], first["authority"]);
    assert_eq!(variables["ACI_OPERATOR_HOME"], text(&world.home()));

    world.run(&["local", "down"]).done();
    let again = world.run(&["local", "down"]);
    assert!(again.err.contains("did not run"), "{again:?}");
    again.done();
    let gone = world.run(&["local", "status"]).complaint(2);
    assert!(gone.contains("local up"), "{gone}");
    world.run(&["local", "up", "--engine", "none"]).done();
    assert_eq!(world.variables()["AZURE_CLIENT_SECRET"], variables["AZURE_CLIENT_SECRET"]);
}

#[test]
fn exit_codes_tell_what_a_manifest_is_worth() {
    let world = World::new();
    world.write("app.yaml", &group("app", "1"));
    let file = text(&world.file("app.yaml"));
    world.run(&["validate", "-f", &file]).done();
    let diff = world.run(&["diff", "-f", &file]).with(1);
    assert!(diff.contains("app"), "{diff}");

    let broken = text(&world.dir.path().join("broken.yaml"));
    fs::write(&broken, group("app", "1").replace("ipAddress", "ipAdress")).unwrap();
    let said = world.run(&["validate", "-f", &broken]).complaint(1);
    assert!(
        said.contains("broken.yaml:7:3") && said.contains("did you mean `ipAddress`"),
        "{said}"
    );
    world.run(&["diff", "-f", &broken]).with(2);
    world.run(&["apply", "-f", &broken]).with(1);
    world.run(&["validate", "-f", "/no/such/file"]).with(2);
    world.run(&["validate"]).with(2);
    world.run(&["get", "pods"]).with(2);

    assert_eq!(world.writes(), (0, 0, 0));
    world.apply().done();
    assert_eq!(world.writes(), (1, 0, 0));
    world.run(&["diff", "-f", &file]).with(0);
    let comments = group("app", "1").replace("spec:", "# the same\nspec:\n  osType: Linux");
    world.write("app.yaml", &comments);
    world.apply().done();
    world.run(&["diff", "-f", &file]).with(0);
    world.write("app.yaml", &group("app", "2"));
    let diff = world.run(&["diff", "-f", &file]).with(1);
    assert!(diff.contains("Restart") && diff.contains("environmentVariables"), "{diff}");
    world.apply().done();
    assert_eq!(world.writes(), (2, 0, 0));
}

#[test]
fn a_replacement_waits_for_approval_which_is_good_for_once() {
    let world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.apply().done();
    let uid = world.object("app").unwrap()["metadata"]["uid"].clone();
    world.write("app.yaml", &group_with("app", "1", 2));
    let stalled = world.apply().with(1);
    assert!(stalled.contains("stalled: ApprovalRequired"), "{stalled}");
    let object = world.object("app").unwrap();
    assert_eq!(condition(&object, "Stalled").0, "True");
    assert_eq!(world.writes(), (1, 0, 0));
    let described = world.run(&["describe", "app"]).done();
    assert!(described.contains("approve"), "{described}");

    let approved = world.run(&["approve", "app", "--timeout", "100s"]).done();
    assert!(approved.contains("approved and done"), "{approved}");
    assert_eq!(world.writes(), (2, 0, 1));
    let object = world.object("app").unwrap();
    assert!(is_ready(&object), "{object:#}");
    assert_eq!(object["metadata"]["uid"], uid);

    world.write("app.yaml", &group_with("app", "1", 1));
    world.apply().with(1);
    assert_eq!(world.writes(), (2, 0, 1));
}

#[test]
fn what_is_known_is_printed_in_every_shape() {
    let world = World::new();
    world.secret("db", "password", "in-every-shape");
    world.write("tls.yaml", TLS);
    world.apply();
    let object = world.object("tls").unwrap();
    let [kind, status] = [&object["kind"], &object["status"]];
    assert_eq!(kind, "ContainerGroup");
    assert_eq!(status["provisioningState"], "Succeeded");
    assert!(status["ip"].as_str().unwrap().starts_with("127."), "{object:#}");
    assert_eq!(status["fqdn"], "wire.westeurope.azurecontainer.io");
    let serial = status["certificate"]["serialNumber"].as_str().unwrap();
    assert!(serial.chars().all(|c| c.is_ascii_hexdigit()), "{serial}");
    let names = status["certificate"]["dnsNames"].to_string();
    assert!(names.contains("mon-dns.com") && names.contains("localhost"), "{names}");
    assert!(status["observedAt"].is_string() && status["containers"].is_array(), "{object:#}");

    let yaml = world.run(&["get", "tls", "-o", "yaml"]).done();
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, object);
    assert_eq!(world.run(&["get", "-o", "name"]).done(), "containergroup/tls\n");
    assert_eq!(world.run(&["get", "issuer", "-o", "name"]).done(), "issuer/local-ca\n");
    let table = world.run(&["get"]).done();
    let header: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "IP", "FQDN", "EXPIRES", "RENEWS", "REASON", "AGE"]);
    assert!(world.run(&["get", "-o", "wide"]).done().contains("SERIAL"));
    let events = world.run(&["events", "tls"]).done();
    assert!(events.contains("containergroup/tls"), "{events}");
    assert!(world.run(&["describe", "tls"]).done().contains(serial));
    assert_eq!(world.run(&["secret", "list", "-o", "name"]).code, 0);
    let secrets = world.run(&["secret", "list"]).done();
    assert!(secrets.contains("db") && secrets.contains("password"), "{secrets}");
    assert!(!secrets.contains("in-every-shape"), "{secrets}");

    let root = world.run(&["ca", "export", "local-ca"]).done();
    let roots = aci_operator::tls::certificates(root.as_bytes()).unwrap();
    assert_eq!(roots.len(), 1);
    assert!(!root.contains("PRIVATE"), "{root}");

    let rendered = world.run(&["render", "-f", &text(&world.file("tls.yaml"))]).done();
    let rendered: Value = serde_saphyr::from_str(&rendered).unwrap();
    for field in ["name", "location", "properties", "tags", "type", "apiVersion"] {
        assert!(!rendered[field].is_null() || field == "tags", "{field}: {rendered:#}");
    }
    assert_eq!(rendered["properties"]["containers"].as_array().unwrap().len(), 2);
    assert!(!rendered.to_string().contains("in-every-shape"));
}

#[test]
fn verbs_hold_an_object_and_let_it_go() {
    let world = World::new();
    world.write("app.yaml", &group("app", "1"));
    world.apply().done();
    world.run(&["wait", "app", "--for", "condition=Ready", "--timeout", "1s"]).done();
    world.run(&["wait", "app", "--for", "condition=Stalled", "--timeout", "1s"]).with(1);
    world.run(&["wait", "app", "--for", "condition=Nice"]).with(2);

    world.run(&["suspend", "app"]).done();
    world.write("app.yaml", &group("app", "2"));
    world.run(&["apply", "-f", &text(&world.manifests()), "--timeout", "3s"]).with(1);
    assert_eq!(world.writes(), (1, 0, 0));
    let object = world.object("app").unwrap();
    assert_eq!(condition(&object, "Suspended").0, "True", "{object:#}");
    world.run(&["resume", "app"]).done();
    world.run(&["reconcile", "app", "--timeout", "100s"]).done();
    assert_eq!(world.writes(), (2, 0, 0));

    let refused = world.run(&["delete", "app"]).complaint(2);
    assert!(refused.contains("app.yaml"), "{refused}");
    assert_eq!(world.writes(), (2, 0, 0));
    fs::remove_file(world.file("app.yaml")).unwrap();
    world.run(&["delete", "app", "--timeout", "100s"]).done();
    assert_eq!(world.writes(), (2, 0, 1));
    assert_eq!(world.object("app"), None);
    world.run(&["delete", "app"]).with(2);
}

#[test]
fn facts_without_a_daemon_have_an_age() {
    let mut world = World::new();
    assert!(world.run(&["get"]).err.contains("no daemon"));
    world.write("app.yaml", &group("app", "1"));
    world.start(&[]);
    world.ready("app");
    assert!(!world.run(&["get"]).err.contains("no daemon"));
    let held = world.apply().complaint(2);
    assert!(held.contains("daemon"), "{held}");
    let second = world.command(&["run", "-f", &text(&world.manifests())]);
    let second = super::ended(&mut { second }).complaint(2);
    assert!(second.contains("another") || second.contains("daemon"), "{second}");
    world.kill();
    let old = world.run(&["get"]);
    assert!(old.err.contains("facts are") && old.err.contains("old"), "{old:?}");
    world.run(&["local", "down"]).done();
    assert!(world.run(&["get"]).done().contains("app"));
    world.run(&["get", "--live"]).with(2);
}

#[test]
fn a_home_stays_with_its_cloud() {
    let world = World::new();
    world.write("app.yaml", &group("app", "1"));
    for command in ["apply", "run", "diff"] {
        let path = text(&world.manifests());
        let refused = world.run(&["--cloud", "public", command, "-f", &path]).complaint(2);
        assert!(refused.contains("`local`") && refused.contains("`public`"), "{refused}");
    }
    assert_eq!(world.writes(), (0, 0, 0));
}
