//! Everything in a resource group: <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group>.

use serde_json::{Value, json};

use super::{Azure, Error, Now};

impl Azure {
    /// The resources of a resource group, whatever their type, without what is particular to one.
    pub fn list_resources(&mut self, now: Now, resource_group: &str) -> Result<Vec<Value>, Error> {
        let mut all = self.list_identities(now, Some(resource_group))?;
        all.extend(self.list_accounts(now, Some(resource_group))?);
        let mut skip = Some(0);
        while let Some(from) = skip {
            let page = self.list(now, Some(resource_group), from)?;
            all.extend(page.value);
            skip = page.next;
        }
        let generic = |one: &Value| {
            json!({
                "id": one["id"], "name": one["name"], "type": one["type"],
                "location": one["location"], "tags": one["tags"],
            })
        };
        Ok(all.iter().map(generic).collect())
    }
}
