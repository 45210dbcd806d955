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
{{- include "weir.validate.network" . -}}
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
{{- if and (include "weir.config.get" (list . "lookup.resources")) (not .Values.lookup.resources) -}}
{{- fail "config has [lookup], and lookup.resources is empty: set it to the same kinds, so that weir has the right to get them" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of `config`: the rights are given, and pods are counted, by the values. */}}
{{- define "weir.validate.lease" -}}
{{- $elects := eq (include "weir.config.get" (list . "lease.enabled")) "true" -}}
{{- if and $elects (not .Values.lease.enabled) -}}
{{- fail "config has enabled = true in [lease], and lease.enabled is false: set it, and lease.name, so that weir has the right to its Lease" -}}
{{- end -}}
{{- if and .Values.lease.enabled (not $elects) -}}
{{- fail "lease.enabled is true, and config has no enabled = true in [lease]: no leader would be elected, and every pod would read and send everything" -}}
{{- end -}}
{{- $name := default (include "weir.config.get" (list . "name")) (include "weir.config.get" (list . "lease.name")) -}}
{{- if and $elects .Values.lease.name $name (ne $name .Values.lease.name) -}}
{{- fail (printf "lease.name is %s, and config has the Lease %s (`name` of [lease], or else the pipeline's): the rights are given for lease.name alone" .Values.lease.name $name) -}}
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
{{- if .Values.config -}}
{{- include "weir.validate.lease" . -}}
{{- end -}}
{{- include "weir.validate.budget" . -}}
{{- end -}}

{{/* A budget that never lets a pod go has every drain of a node wait for ever. */}}
{{- define "weir.validate.budget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- $replicas := int .Values.replicas -}}
{{- $min := include "weir.value" $budget.minAvailable -}}
{{- $max := include "weir.value" $budget.maxUnavailable -}}
{{- if $budget.enabled -}}
{{- if and (eq $min "") (eq $max "") -}}
{{- fail "podDisruptionBudget needs maxUnavailable, or minAvailable: with neither it allows nothing" -}}
{{- end -}}
{{- if and (eq $min "") (has $max (list "0" "0%")) -}}
{{- fail (printf "podDisruptionBudget.maxUnavailable=%s blocks every drain of a node: set it to 1, or podDisruptionBudget.enabled to false" $max) -}}
{{- end -}}
{{- if ne $min "" -}}
{{- $least := trimSuffix "%" $min | int -}}
{{- /* Kubernetes rounds a percentage up. */ -}}
{{- if hasSuffix "%" $min -}}{{- $least = div (add (mul $least $replicas) 99) 100 | int -}}{{- end -}}
{{- if or (eq $min "100%") (and (gt $least 0) (ge $least $replicas)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable=%s with replicas=%d blocks every drain of a node: leave it empty" $min $replicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A value as text, and nothing for null. */}}
{{- define "weir.value" -}}
{{- kindIs "invalid" . | ternary "" (toString .) -}}
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
{{- $modules := default dict .Values.modules -}}
{{- range .Values.stages -}}
{{- $name := .name -}}
{{- if and .drop .module -}}
{{- fail (printf "stages: %s has drop and module: with drop there is no module" $name) -}}
{{- end -}}
{{- if and .drop (not .match) -}}
{{- fail (printf "stages: %s has drop and needs match: what it drops" $name) -}}
{{- end -}}
{{- $isPulled := hasKey (get $modules (default "" .from) | default dict) "oci" -}}
{{- if and $isPulled .module -}}
{{- fail (printf "stages: %s has module, and takes what modules.%s.oci names, which is one module: leave module out" $name .from) -}}
{{- end -}}
{{- if not (or .drop .module $isPulled) -}}
{{- fail (printf "stages: %s needs module, such as drop-normal.wasm, or drop: true" $name) -}}
{{- end -}}
{{- if and .from (ne .from "image") (not (hasKey $modules .from)) -}}
{{- fail (printf "stages: %s takes its module from %s, which is no entry of modules: there is %s" $name .from (prepend (keys $modules | sortAlpha) "image" | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $modules "image" -}}
{{- fail "modules: an entry cannot be called image: that is weir's own image" -}}
{{- end -}}
{{- range $name, $source := $modules -}}
{{- if and (hasKey $source "imageVolume") (semverCompare "<1.31.0-0" $.Capabilities.KubeVersion.Version) -}}
{{- fail (printf "modules.%s.imageVolume needs Kubernetes 1.35, or 1.31 with the feature gate ImageVolume: this is %s" $name $.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and (hasKey $source "oci") (not $.Values.registry.allowTags) (not (contains "@sha256:" $source.oci.reference)) -}}
{{- fail (printf "modules.%s.oci names %s by a tag alone, and whoever can move the tag decides what runs: add the digest that `weir filter push` prints, or set registry.allowTags" $name $source.oci.reference) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A pod that writes more to an emptyDir than its limit is evicted, with all that waits; a claim that
     is full stops it. What an existingConfigMap says is not known here. */}}
{{- define "weir.validate.volume" -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim needs persistence.enabled=true" -}}
{{- end -}}
{{- if not (or .Values.existingConfigMap .Values.persistence.existingClaim) -}}
{{- $disk := include "weir.disk" . -}}
{{- $spool := empty $disk | ternary "0" $disk | include "weir.bytes" | int64 -}}
{{- $more := include "weir.bytes.more" . | int64 -}}
{{- $need := add $spool $more -}}
{{- $name := .Values.persistence.enabled | ternary "persistence.size" "emptyDir.sizeLimit" -}}
{{- $size := .Values.persistence.enabled | ternary .Values.persistence.size .Values.emptyDir.sizeLimit -}}
{{- if lt (include "weir.bytes" $size | int64) $need -}}
{{- $what := printf "buffer.disk=%s, and %dMi for letters and modules" (default "0" $disk) (div $more 1048576) -}}
{{- $then := .Values.persistence.enabled | ternary "weir would stop when it is full" "the pod would be evicted" -}}
{{- fail (printf "%s=%s is less than what weir may write (%s), and %s: it needs %dMi" $name $size $what $then (div (add $need 1048575) 1048576)) -}}
{{- end -}}
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

{{- define "weir.validate.network" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (not $policy.opensearchPorts) (not .Values.opensearch.hosts) -}}
{{- fail "networkPolicy.enabled with config or existingConfigMap needs networkPolicy.opensearchPorts: the ports of `hosts` there, such as [9200]" -}}
{{- end -}}
{{- end -}}

{{/* What the spool may take of the volume. `config` may have it elsewhere, or none. */}}
{{- define "weir.disk" -}}
{{- if not .Values.config -}}
{{- .Values.buffer.disk -}}
{{- else if hasPrefix "/var/lib/weir" (include "weir.config.get" (list . "buffer.path")) -}}
{{- default "2GiB" (include "weir.config.get" (list . "buffer.disk")) -}}
{{- end -}}
{{- end -}}

{{/* What else weir writes to its volume, in bytes: a GiB of letters where they are there, and compiled
     modules. */}}
{{- define "weir.bytes.more" -}}
{{- $letters := eq .Values.deadLetter.kind "disk" -}}
{{- if .Values.config -}}
{{- $letters = hasPrefix "/var/lib/weir" (include "weir.config.get" (list . "dead_letter.path")) -}}
{{- end -}}
{{- add ($letters | ternary 1073741824 0) 268435456 -}}
{{- end -}}

{{/* A size as bytes: Kubernetes' quantities and pipeline.toml's sizes alike. */}}
{{- define "weir.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "P" 1000000000000000 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text | trimSuffix "B" -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get $units $unit) | floor | int64 -}}
{{- end -}}
