//! The kinds as `CustomResourceDefinition`s: `manifests/crds/` as they are, `charts/aci-operator/templates/crds/` inside what
//! makes them part of a release.

use serde_json::Value;

/// Name of the file, in the habit of controller-gen.
pub(super) fn file(definition: &Value) -> String {
    let (group, names) = (&definition["spec"]["group"], &definition["spec"]["names"]);
    format!("{}_{}.yaml", group.as_str().unwrap(), names["plural"].as_str().unwrap())
}

pub(super) fn manifest(definition: &Value) -> String {
    format!("# Made from src/api by tests/it/generated.rs; do not edit.\n{}", yaml(definition))
}

/// Helm never upgrades what stands in a chart's `crds/`, and `helm uninstall` deletes with a
/// definition all objects of its kind: hence a template, which is kept.
pub(super) fn template(definition: &Value) -> String {
    let text = yaml(definition);
    let (head, rest) = text.split_once("metadata:\n").expect("a definition has metadata");
    assert!(!text.contains("{{"), "a description is no template");
    format!(
        "{{{{- /* Made from src/api by tests/it/generated.rs; do not edit. */ -}}}}\n\
         {{{{- if .Values.crds.install }}}}\n\
         {head}metadata:\n\
         \x20 labels:\n\
         \x20   {{{{- include \"aci-operator.labels\" . | nindent 4 }}}}\n\
         \x20 {{{{- if .Values.crds.keep }}}}\n\
         \x20 annotations:\n\
         \x20   helm.sh/resource-policy: keep\n\
         \x20 {{{{- end }}}}\n\
         {rest}{{{{- end }}}}\n"
    )
}

fn yaml(definition: &Value) -> String {
    serde_saphyr::to_string(definition).expect("a definition is YAML")
}
