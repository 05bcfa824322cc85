//! The directory through [`Directory::handle`], as a client sees it.

mod applications;
mod principals;

use serde_json::json;

use super::*;

/// A directory, its time, and who asks.
struct Desk {
    directory: Directory,
    now: DateTime<Utc>,
    caller: Caller,
}

impl Desk {
    /// Reads show everything at once.
    fn prompt() -> Self {
        Self::late(TimeDelta::zero())
    }

    /// Reads are late by `lag`.
    fn late(lag: TimeDelta) -> Self {
        let directory = Directory::new(DirectorySettings { lag, ..DirectorySettings::default() });
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Self { directory, now, caller: Caller::Owner }
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
    }

    fn send(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.send_preferring(method, path, body, "")
    }

    fn upsert(&mut self, name: &str, body: Value) -> (u16, Value) {
        let path = format!("applications(uniqueName='{name}')");
        self.send_preferring("PATCH", &path, body, "create-if-missing")
    }

    fn send_preferring(
        &mut self,
        method: &str,
        path: &str,
        body: Value,
        prefer: &str,
    ) -> (u16, Value) {
        let request = GraphRequest {
            method: method.to_owned(),
            path: format!("/v1.0/{path}"),
            headers: BTreeMap::from([("prefer".to_owned(), prefer.to_owned())]),
            body: Some(body).filter(|body| !body.is_null()),
            caller: self.caller,
        };
        let answer = self.directory.handle(self.now, &request);
        (answer.status, answer.body.unwrap_or_default())
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        self.send("GET", path, Value::Null)
    }

    /// A new application: object id and `appId`.
    fn create(&mut self, body: Value) -> (String, String) {
        let (status, made) = self.send("POST", "applications", body);
        assert_eq!(status, 201, "{made}");
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("appId"))
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}
