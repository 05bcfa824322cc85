provider "azapi" {
  subscription_id = var.subscription_id
}

locals {
  facts = {
    principal = azapi_resource.identity.output.properties.principalId
    client    = azapi_resource.identity.output.properties.clientId
    blob      = azapi_resource.account.output.properties.primaryEndpoints.blob
  }
}

resource "azapi_resource" "resource_group" {
  type      = "Microsoft.Resources/resourceGroups@2021-04-01"
  parent_id = "/subscriptions/${var.subscription_id}"
  name      = var.resource_group
  location  = var.location
  tags      = local.tags
}

resource "azapi_resource" "identity" {
  type                   = "Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31"
  parent_id              = azapi_resource.resource_group.id
  name                   = var.name
  location               = var.location
  tags                   = local.tags
  response_export_values = ["properties.principalId", "properties.clientId"]
}

resource "azapi_resource" "role" {
  type       = "Microsoft.Authorization/roleDefinitions@2022-04-01"
  parent_id  = local.scope
  name       = local.role
  body       = local.role_body
  depends_on = [azapi_resource.resource_group]
}

resource "azapi_resource" "assignment" {
  for_each  = local.assignments
  type      = "Microsoft.Authorization/roleAssignments@2022-04-01"
  parent_id = each.value.scope
  name      = uuidv5(local.arm_guid, join("-", [each.value.scope, each.value.principal, each.value.role]))
  body      = local.assignment_bodies[each.key]
  # A role, and a directory's new principal, are not known everywhere at once.
  retry      = { error_message_regex = ["PrincipalNotFound", "RoleDefinitionDoesNotExist"] }
  depends_on = [azapi_resource.role, azapi_resource.container]
}

resource "azapi_resource" "account" {
  type                   = "Microsoft.Storage/storageAccounts@2023-05-01"
  parent_id              = azapi_resource.resource_group.id
  name                   = local.account
  location               = var.location
  tags                   = local.tags
  body                   = local.account_body
  response_export_values = ["properties.primaryEndpoints.blob"]
}

# Made with the account.
resource "azapi_update_resource" "blob_service" {
  type        = "Microsoft.Storage/storageAccounts/blobServices@2023-05-01"
  resource_id = "${azapi_resource.account.id}/blobServices/default"
  body        = { properties = { isVersioningEnabled = true } }
}

resource "azapi_resource" "policy" {
  type       = "Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01"
  parent_id  = azapi_resource.account.id
  name       = "default"
  body       = local.policy_body
  depends_on = [azapi_update_resource.blob_service]
}

resource "azapi_resource" "container" {
  for_each  = toset(["home", "home-secrets"])
  type      = "Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01"
  parent_id = "${azapi_resource.account.id}/blobServices/default"
  name      = each.value
  body      = { properties = { publicAccess = "None" } }
}

resource "azapi_resource" "group" {
  type      = "Microsoft.ContainerInstance/containerGroups@2023-05-01"
  parent_id = azapi_resource.resource_group.id
  name      = var.name
  location  = var.location
  tags      = local.tags
  body      = local.group_body
  identity {
    type         = "UserAssigned"
    identity_ids = [azapi_resource.identity.id]
  }
  depends_on = [azapi_resource.assignment]
}
