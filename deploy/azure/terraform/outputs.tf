output "home" {
  description = "The home, as `aci-operator --home` takes it."
  value       = "${trimsuffix(local.facts.blob, "/")}/home"
}

output "principal_id" {
  description = "Whom an administrator grants Application.ReadWrite.OwnedBy, for app registrations."
  value       = local.facts.principal
}
