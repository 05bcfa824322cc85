// An operator in Azure: the same as `aci-operator install azure` makes, which a test compares.
//
//   az deployment sub create -l westeurope -f deploy/azure/main.bicep \
//     -p manage='["mon-groupe"]' image=REGISTRY/aci-operator@sha256:…
//
// The resource groups of `manage` exist; rights are given there and on the identities that are named, never
// at the subscription.
targetScope = 'subscription'

@description('Resource group of everything that is made here.')
param resourceGroupName string = 'aci-operator'
@description('Region.')
param location string = deployment().location
@description('Name of the managed identity and of the container group.')
param name string = 'aci-operator'
@description('Resource groups in which container groups may be made. Never the operator\'s own: there it could replace itself.')
@minLength(1)
param manage string[]
@description('Managed identities that container groups may carry: name and resource group of each.')
param identities { name: string, resourceGroup: string }[] = []
@description('Object ids of those that may read manifests and status, and no key.')
param readers string[] = []
@description('Object ids of those that may write manifests, and so have the operator do all that it may.')
param writers string[] = []
@description('The operator\'s image, best by digest.')
param image string
@description('The operator may put another image into its own container group, where a manifest says so: who writes manifests may then run anything as the operator.')
param selfUpdate bool = false

var scope = '${subscription().id}/resourceGroups/${resourceGroupName}'
var installation = guid(scope, name)
var tags = { 'aci-operator-install': installation }
var note = 'aci-operator-install=${installation}'

resource group 'Microsoft.Resources/resourceGroups@2021-04-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module operator 'operator.bicep' = {
  name: '${name}-operator'
  scope: group
  params: {
    location: location
    name: name
    tags: tags
    note: note
    roleName: guid(scope, name, 'role')
    storageAccountName: 'aciop${take(replace(guid(scope, name, 'account'), '-', ''), 16)}'
    manage: manage
    readers: readers
    writers: writers
    image: image
    selfUpdate: selfUpdate
  }
}

module onGroups 'assignment.bicep' = [for managed in manage: {
  name: '${name}-groups-${uniqueString(managed)}'
  scope: resourceGroup(managed)
  params: {
    principalId: operator.outputs.principalId
    roleId: guid(scope, name, 'role')
    note: note
  }
}]

module onIdentities 'identity-assignment.bicep' = [for identity in identities: {
  name: '${name}-identity-${uniqueString(identity.resourceGroup, identity.name)}'
  scope: resourceGroup(identity.resourceGroup)
  params: {
    identityName: identity.name
    principalId: operator.outputs.principalId
    roleId: 'f1a07417-d97a-45cb-824c-7a7467783830' // Managed Identity Operator
    note: note
  }
}]

@description('The home, as `aci-operator --home` takes it.')
output home string = operator.outputs.home
@description('Whom an administrator grants Application.ReadWrite.OwnedBy, for app registrations.')
output principalId string = operator.outputs.principalId
