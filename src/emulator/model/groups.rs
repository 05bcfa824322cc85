//! Container groups as ARM serves them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::body::Properties;
use super::event::Events;
use super::group::{Group, TransitionKind};
use super::view::{self, Detail};
use super::{
    Azure, Error, GroupId, NAMESPACE, Now, Poll, Reply, address, normalise, replace, validate,
};
use crate::emulator::faults::Operation;

/// The fields of a resource that ARM knows; others are refused.
const ENVELOPE: [&str; 11] = [
    "id",
    "name",
    "type",
    "apiVersion",
    "location",
    "tags",
    "identity",
    "zones",
    "properties",
    "sku",
    "extendedLocation",
];

/// One page of a LIST.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The resources, without any `instanceView`.
    pub value: Vec<Value>,
    /// Where the next page begins.
    pub next: Option<usize>,
}

impl Azure {
    /// PUT: makes the group, or updates it in place, which makes its containers anew even where
    /// nothing differs. The answer's body is still `Pending`.
    pub fn put(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        mut body: Value,
    ) -> Result<Reply, Error> {
        self.advance(now);
        self.check_registered(NAMESPACE)?;
        let id = GroupId::new(resource_group, name);
        let home = self.open_resource_group(resource_group)?;
        let home = home.name().to_owned();
        validate::group_name(name)?;
        check_envelope(&body)?;
        let old = self.groups.get(&id).cloned();
        if old.as_ref().is_some_and(|old| old.transition.is_some()) {
            return Err(Error::transitioning(name));
        }
        self.interfere(now, Operation::Put, &id, &mut body);
        let mut new = self.parse(home, name, &body, old.as_ref())?;
        self.check_update(&new, old.as_ref()).inspect_err(|_| {
            self.lags.remove(&id);
        })?;
        let keeps_ip = new.ip.is_some();
        if new.is_public() && !keeps_ip {
            new.next_ip = Some(self.next_address());
        }
        let system = old.as_ref().and_then(|old| old.carries.system);
        self.principals_changed |= new.carries.system != system;
        self.groups.insert(id.clone(), new);
        let operation = self.transit(now, &id, TransitionKind::Deploy);
        let status = if old.is_some() { 200 } else { 201 };
        let view = self.view(now, &id, Detail::Resource).unwrap_or_default();
        Ok(Reply::new(status, view).polled(Poll::AsyncOperation(operation)))
    }

    /// PATCH: tags are replaced as a whole, nothing restarts.
    pub fn patch(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        mut body: Value,
    ) -> Result<Reply, Error> {
        self.advance(now);
        let id = self.find(resource_group, name)?;
        check_envelope(&body)?;
        self.interfere(now, Operation::Patch, &id, &mut body);
        if let Some(given) = body["tags"].as_object() {
            validate::tags(given)?;
            self.groups.entry(id.clone()).and_modify(|group| group.tags.clone_from(given));
        }
        Ok(Reply::new(200, self.view(now, &id, Detail::Resource).unwrap_or_default()))
    }

    /// GET.
    pub fn get(&mut self, now: Now, resource_group: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let id = GroupId::new(resource_group, name);
        let lagging = self.lags.get(&id).map(|lag| lag.view.clone());
        let view = lagging.unwrap_or_else(|| self.view(now, &id, Detail::Full));
        self.resource_group(resource_group)?;
        let view = view.ok_or_else(|| Error::group_not_found(resource_group, name))?;
        Ok(Reply::new(200, view))
    }

    /// LIST of a resource group, or of the subscription, from the `skip`th on.
    pub fn list(
        &mut self,
        now: Now,
        resource_group: Option<&str>,
        skip: usize,
    ) -> Result<Page, Error> {
        self.advance(now);
        if let Some(name) = resource_group {
            self.resource_group(name)?;
        }
        let ids = self.listed(resource_group);
        let page = self.settings.page.max(1);
        let next = (ids.len() > skip + page).then_some(skip + page);
        let ids = ids.into_iter().skip(skip).take(page);
        Ok(Page { value: ids.filter_map(|id| self.list_view(now, id)).collect(), next })
    }

    /// What a LIST shows.
    pub(super) fn listed(&self, resource_group: Option<&str>) -> BTreeSet<&GroupId> {
        let here = |id: &GroupId| resource_group.is_none_or(|name| id.0.eq_ignore_ascii_case(name));
        // A group that a late read does not show yet.
        let shown =
            |id: &&GroupId| here(id) && self.lags.get(*id).is_none_or(|lag| lag.view.is_some());
        self.groups.keys().chain(self.lags.keys()).filter(shown).collect()
    }

    /// DELETE: 204 where there is none, 202 while containers are stopped, 200 where none run.
    pub fn delete(&mut self, now: Now, resource_group: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let Ok(id) = self.find(resource_group, name) else { return Ok(Reply::empty(204)) };
        self.check_idle(&id)?;
        let runs = self.groups.get(&id).is_some_and(Group::runs);
        let last_seen = self.view(now, &id, Detail::Resource).unwrap_or_default();
        self.interfere(now, Operation::Delete, &id, &mut Value::Null);
        let operation = self.begin_removal(now, &id);
        if runs {
            return Ok(Reply::empty(202).polled(Poll::Location(operation)));
        }
        Ok(Reply::new(200, last_seen))
    }

    /// POST start: a stopped or terminated group runs again, on another address.
    pub fn start(&mut self, now: Now, resource_group: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let id = self.find(resource_group, name)?;
        self.check_idle(&id)?;
        let ip = self.next_address();
        let Some(group) = self.groups.get_mut(&id) else { return Ok(Reply::empty(204)) };
        if group.runs() && group.terminated().is_none() {
            return Ok(Reply::empty(204));
        }
        group.stopped = false;
        group.next_ip = group.is_public().then_some(ip);
        let operation = self.transit(now, &id, TransitionKind::Deploy);
        Ok(Reply::empty(202).polled(Poll::Location(operation)))
    }

    /// POST stop: the address is given back, `emptyDir` content lost.
    pub fn stop(&mut self, now: Now, resource_group: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let id = self.find(resource_group, name)?;
        self.check_idle(&id)?;
        if self.groups.get(&id).is_some_and(|group| !group.stopped) {
            self.transit(now, &id, TransitionKind::Stop);
        }
        Ok(Reply::empty(204))
    }

    /// POST restart: containers anew, same address.
    pub fn restart(&mut self, now: Now, resource_group: &str, name: &str) -> Result<Reply, Error> {
        self.advance(now);
        let id = self.find(resource_group, name)?;
        self.check_idle(&id)?;
        if self.groups.get(&id).is_some_and(|group| group.stopped) {
            return self.start(now, resource_group, name).map(|_| Reply::empty(204));
        }
        self.transit(now, &id, TransitionKind::Deploy);
        Ok(Reply::empty(204))
    }

    /// The engine's key of the group whose container's logs are asked for.
    pub fn logs_of(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        container: &str,
    ) -> Result<String, Error> {
        self.advance(now);
        let id = self.find(resource_group, name)?;
        self.check_idle(&id)?;
        let group = self.groups.get(&id).filter(|group| group.has_container(container));
        let group = group.ok_or_else(|| Error::container_not_found(name, container))?;
        if group.stopped {
            let message = format!("The logs of container '{container}' are not available.");
            return Err(Error::new(404, "ContainerLogNotAvailable", message));
        }
        Ok(group.key.clone())
    }

    /// The engine's key of the running group in whose container a process is to be started.
    pub fn exec_in(
        &mut self,
        now: Now,
        resource_group: &str,
        name: &str,
        container: &str,
    ) -> Result<String, Error> {
        let key = self.logs_of(now, resource_group, name, container)?;
        let group = self.groups.values().find(|group| group.key == key);
        if group.is_some_and(|group| group.state() == "Running") {
            return Ok(key);
        }
        let message = format!("The container group '{name}' is not running.");
        Err(Error::new(409, "ContainerGroupNotRunning", message))
    }

    /// The engine's key of a group that runs, for asking how its containers are.
    pub fn key_of(&mut self, now: Now, resource_group: &str, name: &str) -> Option<String> {
        self.advance(now);
        let group = self.groups.get(&GroupId::new(resource_group, name))?;
        group.runs().then(|| group.key.clone())
    }

    /// The engine's keys of all groups.
    pub fn keys(&self) -> Vec<String> {
        self.groups.values().map(|group| group.key.clone()).collect()
    }

    /// Resource group and name of all groups.
    pub fn names(&self) -> Vec<(String, String)> {
        self.groups.values().map(|g| (g.home.clone(), g.name.clone())).collect()
    }

    fn parse(
        &mut self,
        home: String,
        name: &str,
        body: &Value,
        old: Option<&Group>,
    ) -> Result<Group, Error> {
        let mut properties: Properties = serde_path_to_error::deserialize(&body["properties"])
            .map_err(|e| unreadable(&format!("properties.{}", e.path())))?;
        normalise::properties(&mut properties);
        validate::properties(name, &properties)?;
        let tags = match &body["tags"] {
            Value::Null => Map::new(),
            Value::Object(tags) => tags.clone(),
            _ => return Err(unreadable("tags")),
        };
        validate::tags(&tags)?;
        let resource = view::id(&self.settings, &home, name);
        let carries = self.carries(&resource, body, old.map(|old| &old.carries))?;
        Ok(Group {
            key: match old {
                Some(old) => old.key.clone(),
                None => self.next_id(),
            },
            home,
            name: old.map_or(name, |old| &old.name).to_owned(),
            location: location(super::GROUP_TYPE, &body["location"])?,
            tags,
            carries,
            zones: body.get("zones").filter(|value| !value.is_null()).cloned(),
            ip: old.filter(|_| properties.ip_address.is_some()).and_then(|old| old.ip),
            next_ip: None,
            properties,
            stopped: false,
            failure: None,
            transition: None,
            started: None,
            events: old.map_or_else(Events::default, |old| old.events.clone()),
            containers: old.map(|old| old.containers.clone()).unwrap_or_default(),
        })
    }

    fn check_update(&self, new: &Group, old: Option<&Group>) -> Result<(), Error> {
        let name = &new.name;
        if let Some(old) = old {
            if old.location != new.location {
                return Err(Error::moved(&old.name, &old.location, &old.home, &new.location));
            }
            if old.terminated().is_some() {
                return Err(Error::terminated(name));
            }
            if old.zones != new.zones || replace::needed(&old.properties, &new.properties) {
                return Err(Error::replace_only(name));
            }
        }
        let fqdn = address::fqdn(&self.settings, new);
        let taken =
            |other: &&Group| other.key != new.key && address::fqdn(&self.settings, other) == fqdn;
        if fqdn.is_some() && self.groups.values().any(|other| taken(&other)) {
            let message =
                format!("The DNS name label of container group '{name}' is not available.");
            return Err(Error::new(409, "DnsNameLabelNotAvailable", message));
        }
        Ok(())
    }

    fn find(&self, resource_group: &str, name: &str) -> Result<GroupId, Error> {
        self.resource_group(resource_group)?;
        let id = GroupId::new(resource_group, name);
        if self.groups.contains_key(&id) {
            return Ok(id);
        }
        Err(Error::group_not_found(resource_group, name))
    }

    fn check_idle(&self, id: &GroupId) -> Result<(), Error> {
        match self.groups.get(id) {
            Some(group) if group.transition.is_some() => Err(Error::transitioning(&group.name)),
            _ => Ok(()),
        }
    }

    fn view(&self, now: Now, id: &GroupId, detail: Detail) -> Option<Value> {
        Some(self.resource(now, self.groups.get(id)?, detail))
    }

    /// The whole resource as answers show it.
    pub(super) fn resource(&self, now: Now, group: &Group, detail: Detail) -> Value {
        let mut shown = view::resource(&self.settings, group, now, detail);
        if let Some(identity) = self.carries_view(&group.carries) {
            shown["identity"] = identity;
        }
        shown
    }

    pub(super) fn list_view(&self, now: Now, id: &GroupId) -> Option<Value> {
        let Some(lag) = self.lags.get(id) else { return self.view(now, id, Detail::Resource) };
        let mut shown = lag.view.clone()?;
        view::without_instance_views(&mut shown);
        Some(shown)
    }
}

impl Group {
    pub(super) fn has_container(&self, name: &str) -> bool {
        let body = &self.properties;
        body.containers.iter().chain(&body.init_containers).any(|container| container.name == name)
    }

    /// The group as a PUT body that would make it so.
    pub(super) fn document(&self) -> Value {
        json!({"location": self.location, "tags": self.tags, "identity": self.carries.document(),
            "zones": self.zones, "properties": self.properties})
    }
}

fn check_envelope(body: &Value) -> Result<(), Error> {
    let fields = body.as_object().ok_or_else(|| unreadable("the resource"))?;
    match fields.keys().find(|field| !ENVELOPE.contains(&field.as_str())) {
        Some(unknown) => {
            let message = format!(
                "The request content was invalid and could not be deserialized: 'Could not find \
                 member '{unknown}' on object of type 'ResourceDefinition'.'"
            );
            Err(Error::bad("InvalidRequestContent", message))
        }
        None => Ok(()),
    }
}

/// The value itself is not repeated: it may be a secret.
fn unreadable(path: &str) -> Error {
    let message =
        format!("The request content was invalid and could not be deserialized at '{path}'.");
    Error::bad("InvalidRequestContent", message)
}

/// The region of a resource of a type.
pub(super) fn location(kind: &str, given: &Value) -> Result<String, Error> {
    let Some(given) = given.as_str() else {
        let message = "The location property is required for this definition.";
        return Err(Error::bad("LocationRequired", message));
    };
    let known = normalise::region(given).map(str::to_owned);
    known.ok_or_else(|| {
        let message =
            format!("The provided location '{given}' is not available for resource type '{kind}'.");
        Error::bad("LocationNotAvailableForResourceType", message)
    })
}
