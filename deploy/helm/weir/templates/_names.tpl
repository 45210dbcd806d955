{{/* Names and labels. */}}

{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of all objects, and of the pipeline: 52 characters leave room for what controllers
     append. A release's name may have dots, a Service's and a pipeline's may not. */}}
{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "weir.name" .) .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "weir.name" .) | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Of what belongs to no namespace, or to others': two releases may have the same name. */}}
{{- define "weir.clusterName" -}}
{{- printf "%s-%s" (include "weir.namespace" .) (include "weir.fullname" .) -}}
{{- end -}}

{{/* The name of what may be put into a namespace of others', where a release of another namespace may
     have the same name. In: context, namespace (that of the object). */}}
{{- define "weir.nameIn" -}}
{{- $isOwn := eq .namespace (include "weir.namespace" .context) -}}
{{- include ($isOwn | ternary "weir.fullname" "weir.clusterName") .context -}}
{{- end -}}

{{- define "weir.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "weir.configMap" -}}
{{- default (include "weir.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* The Secret that has OpenSearch's credentials; empty where there are none. */}}
{{- define "weir.secret" -}}
{{- if .Values.opensearch.existingSecret -}}
{{- .Values.opensearch.existingSecret -}}
{{- else if .Values.opensearch.password -}}
{{- printf "%s-opensearch" (include "weir.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Of everything that is the release's, the test's pod included. */}}
{{- define "weir.releaseLabels" -}}
{{- dict "app.kubernetes.io/name" (include "weir.name" .) "app.kubernetes.io/instance" .Release.Name | toYaml -}}
{{- end -}}

{{/* Of the pods that run the pipeline. */}}
{{- define "weir.selectorLabels" -}}
{{- merge (dict "app.kubernetes.io/component" "pipeline") (include "weir.releaseLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* What the metadata of every object begins with. In: context, labels and annotations of this one
     (maps), name (absent: the name of all), namespace (absent: that of all, "": none), component.
     Labels by which pods are selected stay as they are; of others, the object's own come first, then
     those of all objects. */}}
{{- define "weir.metadata" -}}
{{- $context := .context -}}
{{- $values := $context.Values -}}
name: {{ default (include "weir.fullname" $context) .name | toYaml }}
{{- $namespace := include "weir.namespace" $context -}}
{{- if hasKey . "namespace" }}{{ $namespace = .namespace }}{{ end }}
{{- if $namespace }}
namespace: {{ $namespace | toYaml }}
{{- end }}
{{- $labels := merge (dict "app.kubernetes.io/component" (default "pipeline" .component)) (include "weir.releaseLabels" $context | fromYaml) }}
{{- $about := dict "app.kubernetes.io/version" $context.Chart.AppVersion "app.kubernetes.io/part-of" "weir" }}
{{- $_ := set $about "app.kubernetes.io/managed-by" $context.Release.Service }}
{{- $_ := set $about "helm.sh/chart" (printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_") }}
labels:
  {{- merge $labels (default dict .labels) (default dict $values.commonLabels) $about | toYaml | nindent 2 }}
{{- with merge dict (default dict .annotations) (default dict $values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "weir.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry -}}{{- $name = printf "%s/%s" $registry $name -}}{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The secrets with which images are pulled, as a list of objects; empty where there are none. */}}
{{- define "weir.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (default list .Values.global.imagePullSecrets) (default list .Values.image.pullSecrets) -}}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) -}}
{{- end -}}
{{- range uniq $names }}
- name: {{ . | toYaml }}
{{- end -}}
{{- end -}}

{{/* A list or map of the values' through `tpl`, as YAML. In: value, context. */}}
{{- define "weir.tpl" -}}
{{- tpl (kindIs "string" .value | ternary .value (toYaml .value)) .context -}}
{{- end -}}
