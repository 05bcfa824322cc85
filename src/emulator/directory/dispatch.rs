//! From a place and a method to what answers.

use serde_json::Value;

use super::answer::Reply;
use super::error::Error;
use super::route::{Key, Route};
use super::{Context, Directory};

impl Directory {
    pub(super) fn dispatch(
        &mut self,
        context: &Context,
        method: &str,
        route: &Route,
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let words = route.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (route.collection.as_str(), &route.key) {
            ("applications", None) => match method {
                "GET" => self.list_applications(context),
                "POST" => self.create_application(context, body),
                _ => Err(Error::method()),
            },
            ("applications", Some(key)) => {
                self.on_application(context, method, key, (&words, route), body)
            }
            ("serviceprincipals", None) => match method {
                "GET" => self.list_service_principals(context),
                "POST" => self.create_service_principal(context, body),
                _ => Err(Error::method()),
            },
            ("serviceprincipals", Some(key)) => {
                self.on_service_principal(context, method, key, (&words, route), body)
            }
            ("oauth2permissiongrants", key) => {
                self.on_grants(context, method, key.as_ref(), &words, body)
            }
            ("users", key) => self.on_users(context, method, key.as_ref(), &words, body),
            ("directoryobjects", Some(Key::Id(name))) if name.eq_ignore_ascii_case("getByIds") => {
                match method {
                    "POST" => self.objects_by_id(context, body),
                    _ => Err(Error::method()),
                }
            }
            ("directory", Some(Key::Id(name))) if name.eq_ignore_ascii_case("deletedItems") => {
                self.on_deleted(context, method, &words)
            }
            _ => Err(Error::segment(&route.collection)),
        }
    }

    fn on_application(
        &mut self,
        context: &Context,
        method: &str,
        key: &Key,
        (words, route): (&[&str], &Route),
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        if words.is_empty() && method == "PATCH" {
            return self.patch_application(context, key, body);
        }
        let id = self.find_application(context, method, key)?;
        match (method, words) {
            ("GET", []) => self.show_application(context, &id),
            ("DELETE", []) => self.delete_application(context, &id),
            ("POST", ["addpassword"]) => self.add_password(context, &id, body),
            ("POST", ["removepassword"]) => self.remove_password(context, &id, body),
            (_, ["federatedidentitycredentials"]) => {
                self.on_federated(context, method, &id, None, body)
            }
            (_, ["federatedidentitycredentials", _]) => {
                self.on_federated(context, method, &id, Some(&route.rest[1]), body)
            }
            (_, ["owners", rest @ ..]) => {
                self.on_owners_of_application(context, method, &id, rest, body)
            }
            (_, [] | ["addpassword" | "removepassword"]) => Err(Error::method()),
            (_, [other, ..]) => Err(Error::segment(other)),
        }
    }

    fn on_service_principal(
        &mut self,
        context: &Context,
        method: &str,
        key: &Key,
        (words, route): (&[&str], &Route),
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let id = self.find_service_principal(context, method, key)?;
        match (method, words) {
            ("GET", []) => self.show_service_principal(context, &id),
            ("PATCH", []) => self.patch_service_principal(context, &id, body),
            ("DELETE", []) => self.delete_service_principal(context, &id),
            (_, ["approleassignedto" | "approleassignments"]) => {
                self.on_assignments(context, method, &id, words[0], None, body)
            }
            (_, ["approleassignedto" | "approleassignments", _]) => {
                self.on_assignments(context, method, &id, words[0], Some(&route.rest[1]), body)
            }
            ("GET", ["oauth2permissiongrants"]) => self.list_grants_of(context, &id),
            (_, ["owners", rest @ ..]) => {
                self.on_owners_of_service_principal(context, method, &id, rest, body)
            }
            (_, [] | ["oauth2permissiongrants"]) => Err(Error::method()),
            (_, [other, ..]) => Err(Error::segment(other)),
        }
    }
}
