{{/* The pod of the Deployment, the StatefulSet and the test. */}}

{{/* Metadata and spec of weir's own pod. */}}
{{- define "weir.pod" -}}
{{- $labels := include "weir.selectorLabels" . | fromYaml -}}
{{- $about := dict "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/part-of" "weir" -}}
metadata:
  labels:
    {{- merge $labels (default dict .Values.podLabels) (default dict .Values.commonLabels) $about | toYaml | nindent 4 }}
  annotations:
    {{- include "weir.pod.annotations" . | nindent 4 }}
spec:
  {{- include "weir.pod.common" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- if .Values.affinity }}
  affinity:
    {{- toYaml .Values.affinity | nindent 4 }}
  {{- else }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "weir.selectorLabels" . | nindent 16 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range .Values.topologySpreadConstraints }}
    {{- $selector := dict "matchLabels" (include "weir.selectorLabels" $ | fromYaml) }}
    - {{ merge dict . (dict "labelSelector" $selector) | toYaml | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  {{- if or .Values.compile.enabled .Values.initContainers }}
  initContainers:
    {{- if .Values.compile.enabled }}
    {{- $values := set (deepCopy .Values) "resources" .Values.compile.resources }}
    - name: compile
      {{- $with := dict "Values" $values "Release" .Release "Chart" .Chart "Template" .Template "Capabilities" .Capabilities "Files" .Files }}
      {{- include "weir.container" $with | nindent 6 }}
      args: [check, /etc/weir/pipeline.toml]
    {{- end }}
    {{- if .Values.initContainers }}
    {{- include "weir.tpl" (dict "value" .Values.initContainers "context" .) | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: weir
      {{- include "weir.container" . | nindent 6 }}
      args:
        - run
        - --config
        - /etc/weir/pipeline.toml
        - --log-format
        - {{ .Values.log.format }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.admin.port }}
          protocol: TCP
      {{- if .Values.startupProbe }}
      startupProbe:
        {{- toYaml .Values.startupProbe | nindent 8 }}
      {{- end }}
      {{- if .Values.livenessProbe }}
      livenessProbe:
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      {{- end }}
      {{- if .Values.readinessProbe }}
      readinessProbe:
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      {{- end }}
    {{- if .Values.extraContainers }}
    {{- include "weir.tpl" (dict "value" .Values.extraContainers "context" .) | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "weir.volumes" . | nindent 4 }}
    {{- if .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim | toYaml }}
    {{- else if not .Values.persistence.enabled }}
    {{- include "weir.volumes.emptyDir" . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Checksums of what a pod reads, then the user's, then those that say what is in the pod. */}}
{{- define "weir.pod.annotations" -}}
{{- $sums := dict -}}
{{- if and .Values.rollOn.config (not .Values.existingConfigMap) -}}
{{- $_ := set $sums "checksum/config" (include "weir.config" . | sha256sum) -}}
{{- else if not (or .Values.config .Values.existingConfigMap) -}}
{{- /* Stages are taken up by weir while it runs, and nothing else is. */ -}}
{{- $values := set (deepCopy .Values) "stages" list -}}
{{- $without := dict "Values" $values "Release" .Release "Chart" .Chart "Template" .Template "Capabilities" .Capabilities "Files" .Files -}}
{{- $_ := set $sums "checksum/config" (include "weir.config" $without | sha256sum) -}}
{{- end -}}
{{- /* Whoever may see pods sees this. So that the password cannot be guessed by it, it is made with a
     function that is slow on purpose (scrypt). */ -}}
{{- if and .Values.rollOn.secret .Values.opensearch.username -}}
{{- $password := default "" .Values.opensearch.password -}}
{{- $_ := set $sums "checksum/secret" (derivePassword 1 "maximum" $password .Values.opensearch.username "weir" | sha256sum) -}}
{{- end -}}
{{- $about := dict "kubectl.kubernetes.io/default-container" "weir" -}}
{{- if and .Values.metrics.podAnnotations (not (or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled)) -}}
{{- $_ := set $about "prometheus.io/scrape" "true" -}}
{{- $_ := set $about "prometheus.io/port" (toString .Values.admin.port) -}}
{{- $_ := set $about "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{- merge $sums (default dict .Values.podAnnotations) (default dict .Values.commonAnnotations) $about | toYaml -}}
{{- end -}}

{{/* What weir's pod and the test's have alike. */}}
{{- define "weir.pod.common" -}}
serviceAccountName: {{ include "weir.serviceAccount" . | toYaml }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
enableServiceLinks: false
{{- with include "weir.pullSecrets" . }}
imagePullSecrets:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- if .Values.podSecurityContext }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}
{{- if .Values.priorityClassName }}
priorityClassName: {{ .Values.priorityClassName | toYaml }}
{{- end }}
{{- if .Values.runtimeClassName }}
runtimeClassName: {{ .Values.runtimeClassName | toYaml }}
{{- end }}
{{- if .Values.schedulerName }}
schedulerName: {{ .Values.schedulerName | toYaml }}
{{- end }}
{{- if .Values.dnsPolicy }}
dnsPolicy: {{ .Values.dnsPolicy }}
{{- end }}
{{- if .Values.dnsConfig }}
dnsConfig:
  {{- toYaml .Values.dnsConfig | nindent 2 }}
{{- end }}
{{- if .Values.hostAliases }}
hostAliases:
  {{- toYaml .Values.hostAliases | nindent 2 }}
{{- end }}
{{- if .Values.nodeSelector }}
nodeSelector:
  {{- toYaml .Values.nodeSelector | nindent 2 }}
{{- end }}
{{- if .Values.tolerations }}
tolerations:
  {{- toYaml .Values.tolerations | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What both containers have alike: the image, its rights, what it sees. */}}
{{- define "weir.container" -}}
image: {{ include "weir.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if .Values.securityContext }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}
{{- if .Values.resources }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}
env:
  - name: WEIR_LOG
    value: {{ .Values.log.level | quote }}
  # Compiled modules are kept beside what waits: the root is read-only.
  - name: XDG_CACHE_HOME
    value: /var/lib/weir/cache
  {{- if .Values.extraEnv }}
  {{- include "weir.tpl" (dict "value" .Values.extraEnv "context" .) | nindent 2 }}
  {{- end }}
{{- if .Values.extraEnvFrom }}
envFrom:
  {{- include "weir.tpl" (dict "value" .Values.extraEnvFrom "context" .) | nindent 2 }}
{{- end }}
volumeMounts:
  {{- /* Folders, never subPath: only so do changes arrive. */}}
  - name: config
    mountPath: /etc/weir
    readOnly: true
  - name: data
    mountPath: /var/lib/weir
  {{- if include "weir.secret" . }}
  - name: opensearch
    mountPath: /run/secrets/weir/opensearch
    readOnly: true
  {{- end }}
  {{- if .Values.opensearch.caSecret }}
  - name: opensearch-ca
    mountPath: /run/secrets/weir/ca
    readOnly: true
  {{- end }}
  {{- if .Values.registry.credentialsSecret }}
  - name: registry
    mountPath: /run/secrets/weir/registry
    readOnly: true
  {{- end }}
  {{- if .Values.registry.caSecret }}
  - name: registry-ca
    mountPath: /run/secrets/weir/registry-ca
    readOnly: true
  {{- end }}
  {{- range $name, $source := .Values.modules }}
  {{- if not (hasKey $source "oci") }}
  - name: modules-{{ $name }}
    mountPath: /run/weir/modules/{{ $name }}
    readOnly: true
  {{- end }}
  {{- end }}
  {{- if .Values.extraVolumeMounts }}
  {{- include "weir.tpl" (dict "value" .Values.extraVolumeMounts "context" .) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* All volumes but `data`. */}}
{{- define "weir.volumes" -}}
- name: config
  configMap:
    name: {{ include "weir.configMap" . | toYaml }}
{{- with include "weir.secret" . }}
- name: opensearch
  {{- if and $.Values.opensearch.existingSecret $.Values.opensearch.username }}
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ . | toYaml }}
          items:
            - key: {{ $.Values.opensearch.passwordKey | toYaml }}
              path: password
      - secret:
          name: {{ printf "%s-opensearch" (include "weir.fullname" $) | toYaml }}
          items:
            - key: username
              path: username
  {{- else }}
  secret:
    secretName: {{ . | toYaml }}
    defaultMode: 0440
    items:
      - key: {{ empty $.Values.opensearch.existingSecret | ternary "username" $.Values.opensearch.usernameKey | toYaml }}
        path: username
      - key: {{ empty $.Values.opensearch.existingSecret | ternary "password" $.Values.opensearch.passwordKey | toYaml }}
        path: password
  {{- end }}
{{- end }}
{{- if .Values.opensearch.caSecret }}
- name: opensearch-ca
  secret:
    secretName: {{ .Values.opensearch.caSecret | toYaml }}
    defaultMode: 0440
    items:
      - key: {{ .Values.opensearch.caKey | toYaml }}
        path: ca.crt
{{- end }}
{{- if .Values.registry.credentialsSecret }}
- name: registry
  secret:
    secretName: {{ .Values.registry.credentialsSecret | toYaml }}
    defaultMode: 0440
    items:
      - key: {{ .Values.registry.credentialsKey | toYaml }}
        path: config.json
{{- end }}
{{- if .Values.registry.caSecret }}
- name: registry-ca
  secret:
    secretName: {{ .Values.registry.caSecret | toYaml }}
    defaultMode: 0440
    items:
      - key: {{ .Values.registry.caKey | toYaml }}
        path: ca.crt
{{- end }}
{{- range $name, $source := .Values.modules }}
{{- if not (hasKey $source "oci") }}
- name: modules-{{ $name }}
  {{- if hasKey $source "configMap" }}
  configMap:
    name: {{ $source.configMap.name | toYaml }}
  {{- else if hasKey $source "imageVolume" }}
  image:
    reference: {{ $source.imageVolume.reference | quote }}
    {{- with $source.imageVolume.pullPolicy }}
    pullPolicy: {{ . }}
    {{- end }}
  {{- else }}
  {{- toYaml $source.volume | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
{{- if .Values.extraVolumes }}
{{ include "weir.tpl" (dict "value" .Values.extraVolumes "context" .) }}
{{- end }}
{{- end -}}

{{- define "weir.volumes.emptyDir" -}}
- name: data
  emptyDir:
    sizeLimit: {{ .Values.emptyDir.sizeLimit | quote }}
    {{- if .Values.emptyDir.medium }}
    medium: {{ .Values.emptyDir.medium }}
    {{- end }}
{{- end -}}
