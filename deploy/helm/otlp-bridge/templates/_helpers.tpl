{{- define "otlp-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "otlp-bridge.fullname" -}}
{{- $name := include "otlp-bridge.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "otlp-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "otlp-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "otlp-bridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "otlp-bridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "otlp-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "otlp-bridge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "otlp-bridge.config" -}}
{{- if .Values.alternateConfig -}}
{{- toYaml .Values.alternateConfig -}}
{{- else -}}
{{- toYaml .Values.config -}}
{{- end -}}
{{- end }}

{{- define "otlp-bridge.configMapName" -}}
{{- if .Values.configMap.create -}}
{{- include "otlp-bridge.fullname" . -}}
{{- else -}}
{{- required "configMap.existingName is needed when configMap.create is false" .Values.configMap.existingName -}}
{{- end -}}
{{- end }}

{{- define "otlp-bridge.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{- /* "true" if a service is wanted. */ -}}
{{- define "otlp-bridge.hasService" -}}
{{- if kindIs "bool" .Values.service.enabled -}}
{{- .Values.service.enabled -}}
{{- else -}}
{{- $served := false -}}
{{- range .Values.ports -}}
{{- if and .enabled .servicePort -}}{{- $served = true -}}{{- end -}}
{{- end -}}
{{- and $served (eq .Values.mode "deployment") -}}
{{- end -}}
{{- end }}
