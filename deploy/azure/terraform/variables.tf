variable "subscription_id" {
  description = "The subscription."
  type        = string
}

variable "resource_group" {
  description = "Resource group of everything that is made here."
  type        = string
  default     = "aci-operator"
}

variable "location" {
  description = "Region."
  type        = string
}

variable "name" {
  description = "Name of the managed identity and of the container group."
  type        = string
  default     = "aci-operator"
}

variable "storage_account" {
  description = "Name of the storage account; a name that follows from the rest where it is empty."
  type        = string
  default     = ""
}

variable "manage" {
  description = "Resource groups, which exist, in which container groups may be made. Never the operator's own."
  type        = list(string)
  validation {
    condition     = length(var.manage) > 0 && !contains([for name in var.manage : lower(name)], lower(var.resource_group))
    error_message = "Name at least one resource group other than the operator's own: there it could replace itself."
  }
}

variable "identities" {
  description = "Resource ids of the managed identities that container groups may carry."
  type        = list(string)
  default     = []
}

variable "readers" {
  description = "Object ids of those that may read manifests and status, and no key."
  type        = list(string)
  default     = []
}

variable "writers" {
  description = "Object ids of those that may write manifests, and so have the operator do all that it may."
  type        = list(string)
  default     = []
}

variable "image" {
  description = "The operator's image, best by digest."
  type        = string
}

variable "self_update" {
  description = "The operator may put another image into its own container group, where a manifest says so: who writes manifests may then run anything as the operator."
  type        = bool
  default     = false
}
