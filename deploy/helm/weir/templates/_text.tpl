{{/* What the user's own text of pipeline.toml says, as far as rights and the volume must agree with it.
     Helm before 3.17 reads no TOML, so these read lines: `[table]`, `key = value`, `a.b = value` and
     `table = { key = value }` on one line. */}}

{{/* The value of a key of `config`, without its quotes; empty where it has none.
     In: the context, and the whole key (`lease.enabled`). */}}
{{- define "weir.config.get" -}}
{{- $context := first . -}}
{{- $line := printf "(?m)^%s = .*$" (last . | replace "." "\\.") -}}
{{- $value := include "weir.config.keys" (tpl $context.Values.config $context) | regexFind $line -}}
{{- $value = regexReplaceAll "^[^=]* = " $value "" -}}
{{- if regexMatch "^[\"']" $value -}}
{{- regexReplaceAll "^(\"([^\"]*)\"|'([^']*)').*$" $value "${2}${3}" -}}
{{- else -}}
{{- regexReplaceAll "\\s*#.*$" $value "" | trim -}}
{{- end -}}
{{- end -}}

{{/* A text's keys, each as `table.key = value` on a line of its own. */}}
{{- define "weir.config.keys" -}}
{{- $table := "" -}}
{{- range splitList "\n" . -}}
{{- $line := trim . -}}
{{- $key := regexFind "^[^=#]*=" $line | trimSuffix "=" | include "weir.config.key" -}}
{{- $value := regexReplaceAll "^[^=]*=\\s*" $line "" -}}
{{- if regexMatch "^\\[\\[" $line -}}
{{- $table = "[]." -}}
{{- else if regexMatch "^\\[[^=]+\\]" $line -}}
{{- $table = regexFind "^\\[[^\\]]*" $line | trimPrefix "[" | include "weir.config.key" | printf "%s." -}}
{{- else if and $key (hasPrefix "{" $value) -}}
{{- range regexFindAll "[A-Za-z_.]+\\s*=\\s*(\"[^\"]*\"|'[^']*'|[^,{}]*)" $value -1 }}
{{ $table }}{{ $key }}.{{ regexReplaceAll "\\s*=\\s*" . " = " }}
{{- end -}}
{{- else if $key }}
{{ $table }}{{ $key }} = {{ $value }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A key as it is without quotes and spaces. */}}
{{- define "weir.config.key" -}}
{{- nospace . | replace "\"" "" | replace "'" "" -}}
{{- end -}}
