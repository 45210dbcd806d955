{{/* What cannot work is refused here, before anything is installed: each message names the value and
     what it needs. Every template that makes a pod includes this. */}}
{{- define "weir.validate" -}}
{{- $hasText := or .Values.config .Values.existingConfigMap -}}
{{- if and .Values.config .Values.existingConfigMap -}}
{{- fail "config and existingConfigMap are both set: pipeline.toml can be only one of them" -}}
{{- end -}}
{{- if and (not $hasText) (not .Values.opensearch.hosts) -}}
{{- fail "opensearch.hosts is empty: set it to where OpenSearch is, such as --set \"opensearch.hosts[0]=https://opensearch.example:9200\"" -}}
{{- end -}}
{{- include "weir.validate.credentials" . -}}
{{- include "weir.validate.config" . -}}
{{- include "weir.validate.replicas" . -}}
{{- include "weir.validate.rights" . -}}
{{- include "weir.validate.stages" . -}}
{{- include "weir.validate.volume" . -}}
{{- include "weir.validate.metrics" . -}}
{{- end -}}

{{- define "weir.validate.credentials" -}}
{{- $opensearch := .Values.opensearch -}}
{{- if and .Values.opensearch.existingSecret .Values.opensearch.password -}}
{{- fail "opensearch.password and opensearch.existingSecret are both set: keep one of the two" -}}
{{- end -}}
{{- if and .Values.opensearch.password (not .Values.opensearch.username) -}}
{{- fail "opensearch.password needs opensearch.username" -}}
{{- end -}}
{{- if and .Values.opensearch.username (not .Values.opensearch.password) (not .Values.opensearch.existingSecret) -}}
{{- fail "opensearch.username needs opensearch.existingSecret (a Secret with the password), or opensearch.password" -}}
{{- end -}}
{{- if and $opensearch.aws.region (or $opensearch.username $opensearch.existingSecret) -}}
{{- fail "opensearch.aws.region and opensearch.username or opensearch.existingSecret are both set: requests are signed, or have a password" -}}
{{- end -}}
{{- end -}}

{{/* `config` goes into a ConfigMap, which more people may read than a Secret. */}}
{{- define "weir.validate.config" -}}
{{- if .Values.config -}}
{{- $text := tpl .Values.config . -}}
{{- if regexMatch "(?m)^[ \\t]*([^#\\s].*)?\\b(password|authorization)[\"']?\\s*=\\s*[\"']" $text -}}
{{- fail "config holds a password or an Authorization header, and would put it into a ConfigMap: write { file = \"/run/secrets/weir/opensearch/password\" }, and set opensearch.existingSecret" -}}
{{- end -}}
{{- if regexMatch "(?m)^[ \\t]*[^#\\s].*://[^/\"'\\s]*:[^/\"'\\s]*@" $text -}}
{{- fail "config holds a URL with a password, and would put it into a ConfigMap: for a proxy, set HTTPS_PROXY in extraEnv from a Secret" -}}
{{- end -}}
{{- if and (regexMatch "(?m)^\\s*\\[lookup\\]" $text) (not .Values.lookup.resources) -}}
{{- fail "config has [lookup], and lookup.resources is empty: set it to the same kinds, so that weir has the right to get them" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.validate.replicas" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.lease.enabled) -}}
{{- fail (printf "replicas=%d needs lease.enabled=true: otherwise every pod reads and sends everything" (int .Values.replicas)) -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) .Values.persistence.enabled .Values.persistence.existingClaim -}}
{{- fail (printf "replicas=%d needs persistence.existingClaim to be empty: each pod has a volume of its own" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.lease.enabled (or .Values.config .Values.existingConfigMap) (not .Values.lease.name) -}}
{{- fail "lease.enabled with config or existingConfigMap needs lease.name: `name` of [lease] there, or else the pipeline's; the rights are given for this name alone" -}}
{{- end -}}
{{- if .Values.podDisruptionBudget.enabled -}}
{{- $min := .Values.podDisruptionBudget.minAvailable | toString -}}
{{- if and (le (int .Values.replicas) 1) (ne $min "") (ne $min "0") (ne $min "0%") -}}
{{- fail (printf "podDisruptionBudget.minAvailable=%s with replicas=%d blocks every drain of the node: leave it empty" $min (int .Values.replicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.validate.rights" -}}
{{- $scope := include "weir.rbac.scope" . -}}
{{- if and .Values.source.namespaces .Values.source.excludeNamespaces -}}
{{- fail "source.excludeNamespaces does not stand beside source.namespaces: those that are listed are the only ones" -}}
{{- end -}}
{{- if and (eq $scope "namespaces") (not .Values.source.namespaces) -}}
{{- fail "rbac.scope=namespaces needs source.namespaces: Roles are made in these" -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "rbac.create with serviceAccount.create=false needs serviceAccount.name: otherwise every pod with the account `default` would get the rights" -}}
{{- end -}}
{{- range .Values.lookup.resources -}}
{{- $resource := first (splitList "." .) -}}
{{- if eq $resource "secrets" -}}
{{- fail "lookup.resources has secrets: looking one up needs the right to read all of it" -}}
{{- end -}}
{{- if and (eq $scope "namespaces") (has . (list "nodes" "namespaces" "persistentvolumes")) -}}
{{- fail (printf "lookup.resources has %s, which is in no namespace: it needs rbac.scope=cluster" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.validate.stages" -}}
{{- $modules := .Values.modules -}}
{{- range .Values.stages -}}
{{- $name := .name -}}
{{- if and .drop .module -}}
{{- fail (printf "stages: %s has drop and module: with drop there is no module" $name) -}}
{{- end -}}
{{- if and .drop (not .match) -}}
{{- fail (printf "stages: %s has drop and needs match: what it drops" $name) -}}
{{- end -}}
{{- if not (or .drop .module) -}}
{{- fail (printf "stages: %s needs module, such as drop-normal.wasm, or drop: true" $name) -}}
{{- end -}}
{{- if and .from (ne .from "image") (not (hasKey $modules .from)) -}}
{{- fail (printf "stages: %s takes its module from %s, which is no entry of modules: there is %s" $name .from (prepend (keys $modules | sortAlpha) "image" | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey .Values.modules "image") -}}
{{- fail "modules: an entry cannot be called image: that is weir's own image" -}}
{{- end -}}
{{- range $name, $source := .Values.modules -}}
{{- if and (hasKey $source "imageVolume") (semverCompare "<1.31.0-0" $.Capabilities.KubeVersion.Version) -}}
{{- fail (printf "modules.%s.imageVolume needs Kubernetes 1.31 with the feature gate ImageVolume, or 1.33: this is %s" $name $.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A pod that writes more to an emptyDir than its limit is evicted, with all that waits. */}}
{{- define "weir.validate.volume" -}}
{{- if not (or .Values.config .Values.existingConfigMap .Values.persistence.enabled) -}}
{{- $need := include "weir.bytes.max" . | int64 -}}
{{- $limit := include "weir.bytes" .Values.emptyDir.sizeLimit | int64 -}}
{{- if lt $limit $need -}}
{{- fail (printf "emptyDir.sizeLimit=%s is less than what weir may write (buffer.disk=%s, and %dMi for letters and modules), and the pod would be evicted: it needs %dMi" .Values.emptyDir.sizeLimit .Values.buffer.disk (div (sub $need (include "weir.bytes" .Values.buffer.disk | int64)) 1048576) (div (add $need 1048575) 1048576)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim needs persistence.enabled=true" -}}
{{- end -}}
{{- end -}}

{{- define "weir.validate.metrics" -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: everything would be scraped twice" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled needs service.enabled=true, or metrics.podMonitor instead" -}}
{{- end -}}
{{- end -}}

{{/* The most that weir writes to its volume: the spool, a GiB of letters where they are there, and
     compiled modules. */}}
{{- define "weir.bytes.max" -}}
{{- $letters := eq .Values.deadLetter.kind "disk" | ternary 1073741824 0 -}}
{{- add (include "weir.bytes" .Values.buffer.disk | int64) $letters 268435456 -}}
{{- end -}}

{{/* A size as bytes: Kubernetes' quantities and pipeline.toml's sizes alike. */}}
{{- define "weir.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text | trimSuffix "B" -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get $units $unit) | floor | int64 -}}
{{- end -}}
