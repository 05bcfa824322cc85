//! Everything in a resource group: <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group>.

use serde_json::{Value, json};

use super::{Azure, Error, Now};

impl Azure {
    /// The resources of a resource group, whatever their type, without what is particular to one.
    pub fn list_resources(&mut self, now: Now, resource_group: &str) -> Result<Vec<Value>, Error> {
        let mut all = self.list_identities(now, Some(resource_group))?;
        all.extend(self.list_accounts(now, Some(resource_group))?);
        let groups = self.listed(Some(resource_group)).into_iter();
        all.extend(groups.filter_map(|id| self.list_view(now, id)));
        let generic = |one: &Value| {
            json!({
                "id": one["id"], "name": one["name"], "type": one["type"],
                "location": one["location"], "tags": one["tags"],
            })
        };
        Ok(all.iter().map(generic).collect())
    }
}
