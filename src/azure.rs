//! Azure Resource Manager and Container Instances, over the `azure_core` pipeline.
