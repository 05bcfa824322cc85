# What the installation consists of: the same as `aci-operator install azure` makes, which a test
# compares. Nothing here needs a provider: what Azure tells (`local.facts`) comes from main.tf.

locals {
  scope        = "/subscriptions/${var.subscription_id}/resourceGroups/${var.resource_group}"
  arm_guid     = "11fb06fb-712d-4ddd-98c7-e71bbd588830" # the name space of ARM's guid()
  installation = uuidv5(local.arm_guid, join("-", [local.scope, var.name]))
  tags         = { "aci-operator-install" = local.installation }
  note         = "aci-operator-install=${local.installation}"

  account = coalesce(var.storage_account, "aciop${substr(replace(
  uuidv5(local.arm_guid, join("-", [local.scope, var.name, "account"])), "-", ""), 0, 16)}")
  identity_id = "${local.scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${var.name}"
  account_id  = "${local.scope}/providers/Microsoft.Storage/storageAccounts/${local.account}"
  containers  = "${local.account_id}/blobServices/default/containers"
  group_id    = "${local.scope}/providers/Microsoft.ContainerInstance/containerGroups/${var.name}"
  managed     = [for name in var.manage : "/subscriptions/${var.subscription_id}/resourceGroups/${name}"]

  role = uuidv5(local.arm_guid, join("-", [local.scope, var.name, "role"]))
  roles = {
    identity_operator = "f1a07417-d97a-45cb-824c-7a7467783830"
    blob_contributor  = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    blob_reader       = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
  }

  role_body = {
    properties = {
      roleName    = "${var.name} operator ${substr(local.role, 0, 8)}"
      description = local.note
      type        = "CustomRole"
      permissions = [{
        actions = [
          "Microsoft.ContainerInstance/containerGroups/read",
          "Microsoft.ContainerInstance/containerGroups/write",
          "Microsoft.ContainerInstance/containerGroups/delete",
          "Microsoft.ContainerInstance/containerGroups/containers/exec/action",
          "Microsoft.Resources/subscriptions/resourceGroups/read",
        ]
        notActions     = []
        dataActions    = []
        notDataActions = []
      }]
      assignableScopes = concat([local.scope], local.managed)
    }
  }

  # Who has which role where. The key does not hold what Azure tells: it names the resource.
  assignments = merge(
    { for scope in concat(local.managed, var.self_update ? [local.scope] : []) : "groups ${scope}" => {
      scope = scope, role = local.role, principal = local.facts.principal, ours = true
    } },
    { for scope in concat(var.identities, var.self_update ? [local.identity_id] : []) : "identity ${scope}" => {
      scope = scope, role = local.roles.identity_operator, principal = local.facts.principal, ours = true
    } },
    { for name in ["home", "home-secrets"] : "blobs ${name}" => {
      scope = "${local.containers}/${name}", role = local.roles.blob_contributor, principal = local.facts.principal, ours = true
    } },
    { for reader in var.readers : "reader ${reader}" => {
      scope = "${local.containers}/home", role = local.roles.blob_reader, principal = reader, ours = false
    } },
    { for writer in var.writers : "writer ${writer}" => {
      scope = "${local.containers}/home", role = local.roles.blob_contributor, principal = writer, ours = false
    } },
  )
  assignment_bodies = { for key, given in local.assignments : key => {
    properties = merge({
      roleDefinitionId = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${given.role}"
      principalId      = given.principal
      description      = local.note
    }, given.ours ? { principalType = "ServicePrincipal" } : {})
  } }

  account_body = {
    kind = "StorageV2"
    sku  = { name = "Standard_LRS" }
    properties = {
      accessTier                   = "Hot"
      allowBlobPublicAccess        = false
      allowCrossTenantReplication  = false
      allowSharedKeyAccess         = false
      defaultToOAuthAuthentication = true
      minimumTlsVersion            = "TLS1_2"
      supportsHttpsTrafficOnly     = true
    }
  }

  # Versions belong to the whole account: those of manifests are kept for a while, all others, keys
  # first, for a day.
  versions = {
    "versions-of-manifests" = { days = 90, prefixes = ["home/manifests/"] }
    "versions-of-the-rest" = { days = 1, prefixes = concat([
      for name in ["events", "heartbeat", "home", "ledger", "lease", "memory", "problems", "requests", "status"] : "home/${name}"
    ], ["home-secrets/"]) }
  }
  policy_body = { properties = { policy = { rules = [for name in ["versions-of-manifests", "versions-of-the-rest"] : {
    enabled = true
    name    = name
    type    = "Lifecycle"
    definition = {
      filters = { blobTypes = ["blockBlob"], prefixMatch = local.versions[name].prefixes }
      actions = { version = { delete = { daysAfterCreationGreaterThan = local.versions[name].days } } }
    }
  }] } } }

  group_body = {
    properties = {
      osType        = "Linux"
      restartPolicy = "Always"
      containers = [{
        name = "operator"
        properties = {
          image   = var.image
          command = ["/usr/bin/aci-operator", "run", "--listen", "0.0.0.0:8080", "--log-format", "json"]
          environmentVariables = [
            { name = "ACI_OPERATOR_HOME", value = "${trimsuffix(local.facts.blob, "/")}/home" },
            { name = "ACI_OPERATOR_SELF", value = local.group_id },
            { name = "AZURE_CLIENT_ID", value = local.facts.client },
            { name = "AZURE_SUBSCRIPTION_ID", value = var.subscription_id },
            { name = "AZURE_TOKEN_CREDENTIALS", value = "prod" },
          ]
          resources = { requests = { cpu = 0.5, memoryInGB = 0.5 } }
          livenessProbe = {
            httpGet             = { path = "/healthz", port = 8080, scheme = "http" }
            initialDelaySeconds = 30
            periodSeconds       = 30
            failureThreshold    = 3
          }
        }
      }]
    }
  }
}
