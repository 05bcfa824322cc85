//! Files that are made from the code: each equals what the code makes now.
//!
//! `UPDATE_DOCS=1 cargo test --test it -- generated kubernetes` writes them.

use std::fs;
use std::path::Path;

mod chart;
mod crds;
mod manifests;

pub(super) fn assert_generated(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{file} is not what the code makes: `UPDATE_DOCS=1 cargo test --test it -- generated kubernetes`"
    );
}

#[test]
fn the_page_of_manifest_fields() {
    assert_generated("docs/manifests.md", &manifests::page());
}

#[test]
fn the_custom_resource_definitions() {
    for definition in aci_operator::api::crd::all().unwrap() {
        let file = crds::file(&definition);
        assert_generated(&format!("manifests/crds/{file}"), &crds::manifest(&definition));
        let template = format!("charts/aci-operator/templates/crds/{file}");
        assert_generated(&template, &crds::template(&definition));
    }
}

#[test]
fn the_values_of_the_chart() {
    assert_eq!(chart::faults(), Vec::<String>::new());
    assert_generated("charts/aci-operator/README.md", &chart::readme());
}
