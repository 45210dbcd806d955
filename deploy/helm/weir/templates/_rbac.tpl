{{/* What weir may do in the API server. */}}

{{- define "weir.rbac.scope" -}}
{{- default (.Values.source.namespaces | empty | ternary "cluster" "namespaces") .Values.rbac.scope -}}
{{- end -}}

{{/* Reading events, and looking up the objects that they are about. */}}
{{- define "weir.rbac.reading" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [get, list, watch]
{{- range .Values.lookup.resources }}
{{- $parts := splitn "." 2 . }}
- apiGroups: [{{ default "" $parts._1 | quote }}]
  resources: [{{ $parts._0 }}]
  verbs: [get]
{{- end }}
{{- end -}}

{{/* The one namespace whose uid tells this cluster from another. */}}
{{- define "weir.rbac.kubeSystem" -}}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- end -}}

{{/* A Role or ClusterRole and its binding. In: context, kind, name, namespace ("": none), rules. */}}
{{- define "weir.rbac.grant" -}}
{{- $metadata := dict "context" .context "name" .name "namespace" .namespace -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  {{- include "weir.metadata" $metadata | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "weir.metadata" $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name | toYaml }}
subjects:
  - kind: ServiceAccount
    name: {{ include "weir.serviceAccount" .context | toYaml }}
    namespace: {{ include "weir.namespace" .context | toYaml }}
{{- end -}}

{{/* The Lease. RBAC cannot limit `create` to a name: an object to be made has none yet. */}}
{{- define "weir.rbac.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames:
    - {{ include "weir.lease" . | toYaml }}
  verbs: [get, update]
{{- end -}}
