{{/* Name of the application. */}}
{{- define "aci-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* Name of this release's objects. */}}
{{- define "aci-operator.fullname" -}}
{{- $name := include "aci-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Name of cluster-wide objects: releases of one name may stand in several namespaces. */}}
{{- define "aci-operator.clustername" -}}
{{- $fullname := include "aci-operator.fullname" . }}
{{- if eq .Release.Namespace $fullname }}
{{- $fullname }}
{{- else }}
{{- printf "%s-%s" .Release.Namespace $fullname | trunc 56 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "aci-operator.selector" -}}
app.kubernetes.io/name: {{ include "aci-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aci-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "aci-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "aci-operator.serviceaccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "aci-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: the name of an account that is there" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "aci-operator.image" -}}
{{- $repository := required "image.repository: name the operator's image, in a registry that the cluster pulls from" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* What the operator may do with its objects, and with what belongs to them. Secrets are read by
name: a list of them is nobody's business. */}}
{{- define "aci-operator.rules" -}}
- apiGroups: [aci-operator.io]
  resources: [appregistrations, containergroups, issuers]
  verbs: [list, watch, patch]
- apiGroups: [aci-operator.io]
  resources: [appregistrations/status, containergroups/status, issuers/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
