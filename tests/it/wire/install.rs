//! The operator's own installation in local Azure: made, found again, gone on with, taken back.

use std::process::Stdio;

use serde_json::json;

mod place;

use place::{GROUP, IMAGE, Place};

#[test]
fn an_installation_is_made_found_again_and_taken_back() {
    let place = Place::new();
    let before = place.everything();
    assert!(place.plan().values().all(|action| *action == "create" || *action == "keep"));
    assert_eq!(place.everything(), before, "a plan changes nothing");

    place.install(&["--yes"]).done();
    let group = place.group();
    let container = &group["properties"]["containers"][0]["properties"];
    assert_eq!(container["image"], IMAGE);
    let variables = container["environmentVariables"].as_array().unwrap();
    let home = variables.iter().find(|one| one["name"] == "ACI_OPERATOR_HOME").unwrap();
    assert!(home["value"].as_str().unwrap().ends_with("/home"), "{home}");
    assert!(place.plan().values().all(|action| action == "keep"), "{:#?}", place.plan());

    let writes = place.writes();
    place.install(&["--yes"]).done();
    assert_eq!(place.writes(), writes, "what is there is not written again");

    let shown = place.uninstall(&[]).done();
    assert!(shown.contains("storage account"), "{shown}");
    assert_ne!(place.everything(), before);
    place.uninstall(&["--yes"]).done();
    assert_eq!(place.everything(), before, "nothing is left, and nothing else was touched");
    place.uninstall(&["--yes"]).done();
}

#[test]
fn what_was_begun_is_gone_on_with() {
    let place = Place::new();
    let all = place.plan().len();
    // Each run is refused one request later than the one before.
    let mut runs = 0;
    loop {
        let mut child = place.world.command(&place.arguments("install", &["--yes"]));
        let child = child.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut said = String::new();
        let mut done = 0;
        {
            use std::io::{BufRead as _, BufReader};
            for line in BufReader::new(child.stderr.take().unwrap()).lines() {
                let line = line.unwrap();
                done += usize::from(line.starts_with('✓'));
                said += &line;
                if done == 1 {
                    // Killed after one write.
                    let _ = child.kill();
                    break;
                }
            }
        }
        let status = child.wait().unwrap();
        runs += 1;
        assert!(runs < 2 * all, "it gets no further: {said}");
        if done == 0 {
            assert!(status.success(), "{said}");
            break;
        }
    }
    assert!(runs > all / 2, "{runs} runs for {all} resources");
    assert!(place.plan().values().all(|action| action == "keep"), "{:#?}", place.plan());
}

#[test]
fn what_is_somebody_elses_stays() {
    let place = Place::new();
    place.put(
        &format!("/resourceGroups/{GROUP}"),
        "2021-04-01",
        &json!({"location": "westeurope", "tags": {"team": "web"}}),
    );
    let path = format!(
        "/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/aci-operator"
    );
    place.put(&path, "2023-01-31", &json!({"location": "westeurope"}));
    let before = place.everything();
    let refused = place.install(&["--yes"]);
    assert!(refused.complaint(1).contains("somebody else's"));
    assert_eq!(place.everything(), before);

    // Beside it, under another name, the resource group and what is in it stay.
    let second = ["--name", "second", "--yes"];
    place.install(&second).done();
    place.uninstall(&second).done();
    assert_eq!(place.everything(), before);
}

#[test]
fn groups_that_the_operator_keeps_are_not_left_without_a_word() {
    let place = Place::new();
    place.install(&["--yes"]).done();
    let web = "/resourceGroups/web/providers/Microsoft.ContainerInstance/containerGroups/web";
    let body = json!({
        "location": "westeurope",
        "tags": {"aci-operator-owner": "home/uid"},
        "properties": {"osType": "Linux", "containers": [{"name": "app", "properties": {
            "image": "registry.example/app:1",
            "resources": {"requests": {"cpu": 1, "memoryInGB": 1}},
        }}]},
    });
    place.put(web, "2023-05-01", &body);
    let refused = place.uninstall(&["--yes"]).complaint(2);
    assert!(
        refused.contains("containerGroups/web") && refused.contains("--keep-groups"),
        "{refused}"
    );
    place.group();
    place.uninstall(&["--yes", "--keep-groups"]).done();
    assert!(place.get(web, "2023-05-01").is_some());
}

#[test]
fn rights_that_count_late_are_waited_for() {
    let place = Place::new();
    place.world.run(&["local", "fault", "rbac-delay", "2s"]).done();
    place.world.run(&["local", "fault", "conflict", "--operation", "put", "--times", "1"]).done();
    let said = place.install(&["--yes"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.err.contains("is busy"), "{}", said.err);
}

#[test]
fn the_grant_in_the_directory_is_a_step_of_its_own() {
    let place = Place::new();
    let said = place.install(&["--yes"]);
    assert!(said.err.contains("Privileged Role Administrator"), "{}", said.err);
    let which = ["install", "graph-grant", "-g", GROUP];
    let told = place.world.run(&which).with(1);
    assert!(
        told.contains("az rest --method POST")
            && told.contains("18a4783c-866b-4cc7-a460-3d5e5662c884"),
        "{told}"
    );
    let principal = told.split("servicePrincipals/").nth(1).unwrap();
    let principal = principal.split('/').next().unwrap();
    place.grant(principal, "18a4783c-866b-4cc7-a460-3d5e5662c884");
    assert!(place.world.run(&which).done().contains("granted"));
    let absent = place.world.run(&["install", "graph-grant", "-g", "web"]);
    assert!(absent.complaint(2).contains("no such installation"));
}

#[test]
fn owning_the_resource_groups_is_enough() {
    let place = Place::new();
    place.put(
        &format!("/resourceGroups/{GROUP}"),
        "2021-04-01",
        &json!({"location": "westeurope"}),
    );
    let before = place.everything();
    let somebody = place.owner_of(&["web", GROUP]);
    let run = |arguments: &[&str]| {
        let mut command = place.world.command(arguments);
        super::ended(command.envs(&somebody))
    };
    run(&place.arguments("install", &["--yes"])).done();
    let variables = place.group()["properties"]["containers"][0]["properties"].clone();
    assert!(variables["environmentVariables"].as_array().unwrap().len() > 4);
    let uninstall =
        ["uninstall", "azure", "-g", GROUP, "--identity", &place.identity, "--manage", "web"];
    run(&[&uninstall[..], &["--yes"]].concat()).done();
    let mut after = place.everything();
    after.retain(|id| !before.contains(id));
    assert_eq!(after.len(), 2, "only what makes somebody an owner is new: {after:?}");
}

#[test]
fn what_it_kept_and_tried_in_its_own_resource_group_is_found() {
    let place = Place::new();
    place.install(&["--self-update", "--yes"]).done();
    let mut body = place.group();
    let path = |name: &str| {
        format!(
            "/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}"
        )
    };
    body["tags"] = json!({"aci-operator-owner": "home/uid"});
    place.put(&path("aci-operator-trial"), "2023-05-01", &body);
    place.put(&path("kept"), "2023-05-01", &body);
    let refused = place.uninstall(&["--yes"]).complaint(2);
    assert!(refused.contains("containerGroups/kept") && !refused.contains("trial"), "{refused}");
    place.uninstall(&["--yes", "--keep-groups"]).done();
    assert!(place.get(&path("kept"), "2023-05-01").is_some());
    assert!(
        place.get(&path("aci-operator-trial"), "2023-05-01").is_none(),
        "it carries the identity"
    );
}

#[test]
fn its_own_manifest_says_what_runs() {
    let place = Place::new();
    let which = ["install", "manifest", "-g", GROUP];
    assert!(place.world.run(&which).complaint(2).contains("no such installation"));
    place.install(&["--self-update", "--yes"]).done();
    let manifest = place.world.run(&which).done();
    assert!(manifest.contains(IMAGE), "{manifest}");
    let file = place.world.dir.path().join("operator.yaml");
    std::fs::write(&file, &manifest).unwrap();
    let file = file.to_str().unwrap();
    place.world.run(&["validate", "-f", file]).done();
    let same = place.world.run(&["diff", "-f", file]);
    assert_eq!(same.code, 0, "{same:#?}");
    let other = manifest.replace(IMAGE, "registry.example/aci-operator@sha256:1");
    std::fs::write(file, other).unwrap();
    let differs = place.world.run(&["diff", "-f", file]).with(1);
    assert!(differs.contains("containers[operator].image"), "{differs}");
}

#[test]
fn a_plan_says_what_it_costs_and_which_rights_it_gives() {
    let place = Place::new();
    let shown = place.install(&[]).done();
    for text in [
        "16 a month",
        "Managed Identity Operator",
        "containers/exec/action",
        "home-secrets",
        "role assignment",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let unnamed = place.world.run(&[
        "install",
        "azure",
        "-g",
        GROUP,
        "-l",
        "westeurope",
        "--manage",
        GROUP,
        "--image",
        "x:1",
    ]);
    assert!(unnamed.complaint(2).contains("replace itself"));
}
