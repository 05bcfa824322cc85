// The operator's own resource group: who it is, its home, its container group.
param location string
param name string
param tags object
param note string
param roleName string
param storageAccountName string
param manage string[]
param readers string[]
param writers string[]
param image string
param selfUpdate bool

var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: roleName
  properties: {
    roleName: '${name} operator ${take(roleName, 8)}'
    description: note
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.ContainerInstance/containerGroups/read'
          'Microsoft.ContainerInstance/containerGroups/write'
          'Microsoft.ContainerInstance/containerGroups/delete'
          'Microsoft.ContainerInstance/containerGroups/containers/exec/action'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: concat(
      [resourceGroup().id],
      map(manage, managed => '${subscription().id}/resourceGroups/${managed}')
    )
  }
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: storageAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: { isVersioningEnabled: true }
}

// Versions belong to the whole account: those of manifests are kept for a while, all others, keys
// first, for a day.
resource policy 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobs]
  properties: {
    policy: {
      rules: [
        {
          enabled: true
          name: 'versions-of-manifests'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['home/manifests/'] }
            actions: { version: { delete: { daysAfterCreationGreaterThan: 90 } } }
          }
        }
        {
          enabled: true
          name: 'versions-of-the-rest'
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: [
                'home/events'
                'home/heartbeat'
                'home/home'
                'home/ledger'
                'home/lease'
                'home/memory'
                'home/problems'
                'home/requests'
                'home/status'
                'home-secrets/'
              ]
            }
            actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } }
          }
        }
      ]
    }
  }
}

resource home 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'home'
  properties: { publicAccess: 'None' }
}

resource secrets 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'home-secrets'
  properties: { publicAccess: 'None' }
}

// Modules: the name of an assignment holds the principal's id, which is not known at the start.
module onHome 'blob-assignment.bicep' = {
  name: '${name}-on-home'
  params: {
    accountName: account.name
    containerName: home.name
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleId: blobContributor
    note: note
  }
}

module onSecrets 'blob-assignment.bicep' = {
  name: '${name}-on-secrets'
  params: {
    accountName: account.name
    containerName: secrets.name
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleId: blobContributor
    note: note
  }
}

module onItself 'assignment.bicep' = if (selfUpdate) {
  name: '${name}-on-itself'
  params: {
    principalId: identity.properties.principalId
    roleId: role.name
    note: note
  }
}

module asItself 'identity-assignment.bicep' = if (selfUpdate) {
  name: '${name}-as-itself'
  params: {
    identityName: identity.name
    principalId: identity.properties.principalId
    roleId: 'f1a07417-d97a-45cb-824c-7a7467783830' // Managed Identity Operator
    note: note
  }
}

module readerOnHome 'blob-assignment.bicep' = [for reader in readers: {
  name: '${name}-reader-${reader}'
  params: {
    accountName: account.name
    containerName: home.name
    principalId: reader
    roleId: blobReader
    note: note
  }
}]

module writerOnHome 'blob-assignment.bicep' = [for writer in writers: {
  name: '${name}-writer-${writer}'
  params: {
    accountName: account.name
    containerName: home.name
    principalId: writer
    roleId: blobContributor
    note: note
  }
}]

resource operator 'Microsoft.ContainerInstance/containerGroups@2023-05-01' = {
  name: name
  location: location
  tags: tags
  dependsOn: [onHome, onSecrets]
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    osType: 'Linux'
    restartPolicy: 'Always'
    containers: [
      {
        name: 'operator'
        properties: {
          image: image
          command: ['/usr/bin/aci-operator', 'run', '--listen', '0.0.0.0:8080', '--log-format', 'json']
          environmentVariables: [
            { name: 'ACI_OPERATOR_HOME', value: '${account.properties.primaryEndpoints.blob}home' }
            {
              name: 'ACI_OPERATOR_SELF'
              value: resourceId('Microsoft.ContainerInstance/containerGroups', name)
            }
            { name: 'AZURE_CLIENT_ID', value: identity.properties.clientId }
            { name: 'AZURE_SUBSCRIPTION_ID', value: subscription().subscriptionId }
            { name: 'AZURE_TOKEN_CREDENTIALS', value: 'prod' }
          ]
          resources: { requests: { cpu: json('0.5'), memoryInGB: json('0.5') } }
          livenessProbe: {
            httpGet: { path: '/healthz', port: 8080, scheme: 'http' }
            initialDelaySeconds: 30
            periodSeconds: 30
            failureThreshold: 3
          }
        }
      }
    ]
  }
}

output principalId string = identity.properties.principalId
output home string = '${account.properties.primaryEndpoints.blob}home'
