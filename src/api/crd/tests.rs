use super::*;

/// A rule whose place is misspelt would be no rule.
#[test]
fn every_rule_stands_somewhere() {
    for definition in all().unwrap() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let mut root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        let rules = match kind {
            "ContainerGroup" => rules::CONTAINER_GROUP,
            "Issuer" => rules::ISSUER,
            _ => rules::APP_REGISTRATION,
        };
        for rule in rules.iter().chain(rules::EVERY_KIND) {
            let place =
                find(&mut root, rule.at).unwrap_or_else(|| panic!("{kind} has no {}", rule.at));
            let field = rule.field.trim_start_matches('.');
            assert!(find(place, field).is_some(), "{kind} {} has no {field}", rule.at);
        }
    }
}

/// An API server refuses a property without a type, and drops what it does not know of a schema.
#[test]
fn every_schema_is_structural() {
    fn walk(schema: &Value, path: &str) {
        assert!(schema["type"].is_string(), "{path} has no type: {schema}");
        for word in ["anyOf", "oneOf", "allOf", "$ref", "nullable"] {
            assert!(schema.get(word).is_none(), "{path} has {word}");
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(property, &format!("{path}.{name}"));
            let told = property["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(told || path.is_empty(), "{path}.{name} has no description");
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            if inner.is_object() {
                walk(inner, &format!("{path}[]"));
            }
        }
    }
    for definition in all().unwrap() {
        walk(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "");
    }
}
