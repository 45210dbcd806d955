{{/* pipeline.toml, written by hand: Helm's `toToml` turns 9 into 9.0. Texts are JSON's, which are
     TOML's basic strings, too. */}}

{{/* The text of the ConfigMap: the user's, through `tpl`, or the chart's. */}}
{{- define "weir.config" -}}
{{- if .Values.config -}}
{{- tpl .Values.config . -}}
{{- else -}}
{{- include "weir.config.ofValues" . -}}
{{- end -}}
{{- end -}}

{{- define "weir.config.ofValues" -}}
# Made by the Helm chart. Every key: https://github.com/weir-events/weir/blob/main/config/pipeline.toml
name = {{ include "weir.fullname" . | toRawJson }}
{{- if .Values.cluster }}
cluster = {{ .Values.cluster | toRawJson }}
{{- end }}

[source]
kind = "kubernetes"
{{- if .Values.source.namespaces }}
namespaces = {{ .Values.source.namespaces | toRawJson }}
{{- end }}
{{- if .Values.source.excludeNamespaces }}
exclude_namespaces = {{ .Values.source.excludeNamespaces | toRawJson }}
{{- end }}
{{- if .Values.source.warningsOnly }}
field_selector = "type!=Normal"
{{- end }}
{{ range .Values.stages }}
{{- $module := include "weir.module" (dict "stage" . "modules" $.Values.modules) }}
{{ include "weir.config.stage" (dict "stage" . "module" $module) }}
{{ end }}
{{- if include "weir.registries" . | fromJsonArray }}
[registry]
{{- if .Values.registry.credentialsSecret }}
credentials = "/run/secrets/weir/registry/config.json"
{{- end }}
{{- if .Values.registry.caSecret }}
ca = "/run/secrets/weir/registry-ca/ca.crt"
{{- end }}
allow_tags = {{ .Values.registry.allowTags }}
{{ end }}
[buffer]
path = "/var/lib/weir/buffer"
memory = {{ .Values.buffer.memory | toRawJson }}
disk = {{ .Values.buffer.disk | toRawJson }}

[sink]
kind = "opensearch"
hosts = {{ .Values.opensearch.hosts | toRawJson }}
{{- if include "weir.secret" . }}
username = { file = "/run/secrets/weir/opensearch/username" }
password = { file = "/run/secrets/weir/opensearch/password" }
{{- end }}
{{- if .Values.opensearch.caSecret }}
ca = "/run/secrets/weir/ca/ca.crt"
{{- end }}
{{- with .Values.opensearch.aws }}
{{- if .region }}
aws = { region = {{ .region | toRawJson }}, service = {{ .service | toRawJson }} }
{{- end }}
{{- end }}
{{- if .Values.opensearch.index }}
index = {{ .Values.opensearch.index | toRawJson }}
{{- end }}
{{- if ne .Values.opensearch.setup "off" }}
setup = {{ .Values.opensearch.setup | toRawJson }}
{{- end }}
{{- if ne .Values.opensearch.lastTimestamp "as-is" }}
last_timestamp = {{ .Values.opensearch.lastTimestamp | toRawJson }}
{{- end }}

[dead_letter]
kind = {{ .Values.deadLetter.kind | toRawJson }}
{{- if eq .Values.deadLetter.kind "index" }}
index = {{ .Values.deadLetter.index | toRawJson }}
{{- else }}
path = "/var/lib/weir/dead-letter"
{{- end }}
{{- if .Values.lease.enabled }}

[lease]
enabled = true
namespace = {{ include "weir.namespace" . | toRawJson }}
name = {{ include "weir.lease" . | toRawJson }}
duration = {{ .Values.lease.duration | toRawJson }}
{{- end }}
{{- if .Values.lookup.resources }}

[lookup]
resources = {{ .Values.lookup.resources | toRawJson }}
labels = {{ .Values.lookup.labels }}
annotations = {{ .Values.lookup.annotations | toRawJson }}
owners = {{ .Values.lookup.owners }}
dedot = {{ .Values.lookup.dedot }}
timeout = {{ .Values.lookup.timeout | toRawJson }}
max_per_second = {{ .Values.lookup.maxPerSecond | int64 }}
{{- end }}

[admin]
listen = {{ printf "%s:%d" .Values.admin.address (.Values.admin.port | int64) | toRawJson }}
{{- end -}}

{{/* One [[stage]]. In: stage, and where its module is. */}}
{{- define "weir.config.stage" -}}
{{- $stage := .stage -}}
[[stage]]
name = {{ $stage.name | toRawJson }}
{{- if $stage.drop }}
drop = true
{{- else }}
module = {{ .module | toRawJson }}
{{- end }}
{{- range $value, $key := dict "timeout" "timeout" "memory" "memory" "onError" "on_error" "wasi" "wasi" }}
{{- with get $stage $value }}
{{ $key }} = {{ . | toRawJson }}
{{- end }}
{{- end }}
{{- with $stage.match }}
match = {{ include "weir.toml" . }}
{{- end }}
{{- with $stage.config }}
[stage.config]
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ include "weir.toml.key" $key }} = {{ include "weir.toml" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a stage's module is: in the container, or in a registry. In: stage, and all modules. */}}
{{- define "weir.module" -}}
{{- $stage := .stage -}}
{{- $source := get (default dict .modules) (default "" $stage.from) | default dict -}}
{{- if hasKey $source "oci" -}}
oci://{{ $source.oci.reference | trimPrefix "oci://" }}
{{- else if and $stage.from (ne $stage.from "image") -}}
/run/weir/modules/{{ $stage.from }}/{{ $stage.module }}
{{- else -}}
/usr/share/weir/filters/{{ $stage.module }}
{{- end -}}
{{- end -}}

{{/* The registries that weir pulls modules from, as a JSON list. */}}
{{- define "weir.registries" -}}
{{- $registries := list -}}
{{- range $name, $source := .Values.modules -}}
{{- if hasKey $source "oci" -}}
{{- $registries = append $registries ($source.oci.reference | trimPrefix "oci://" | splitList "/" | first) -}}
{{- end -}}
{{- end -}}
{{- uniq $registries | toJson -}}
{{- end -}}

{{/* Any value, on one line. TOML has no null: such members are left out. */}}
{{- define "weir.toml" -}}
{{- if kindIs "map" . -}}
{{- $members := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $members = append $members (printf "%s = %s" (include "weir.toml.key" $key) (include "weir.toml" $value)) -}}
{{- end -}}
{{- end -}}
{ {{ join ", " $members }} }
{{- else if kindIs "slice" . -}}
{{- $items := list -}}
{{- range . -}}{{- $items = append $items (include "weir.toml" .) -}}{{- end -}}
[{{ join ", " $items }}]
{{- else -}}
{{- toRawJson . -}}
{{- end -}}
{{- end -}}

{{- define "weir.toml.key" -}}
{{- regexMatch "^[A-Za-z0-9_-]+$" . | ternary . (toRawJson .) -}}
{{- end -}}

{{- define "weir.lease" -}}
{{- default (include "weir.fullname" .) .Values.lease.name -}}
{{- end -}}
