{{- define "straceback.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "straceback.labels" -}}
app.kubernetes.io/name: straceback
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* What pods of one side are found by; a list of the context and the side. */ -}}
{{- define "straceback.selector" -}}
app.kubernetes.io/name: straceback
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "straceback.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- $tag := default (index . 0).Chart.AppVersion $image.tag -}}
{{- if $image.registry }}{{ $image.registry }}/{{ end }}{{ index $image (index . 1) }}:{{ $tag }}
{{- end -}}

{{- /* The pod of one side. */ -}}
{{- define "straceback.pod" -}}
{{- $context := index . 0 -}}
{{- $side := index . 1 -}}
{{- $values := index $context.Values $side -}}
metadata:
  labels:
    {{- include "straceback.labels" $context | nindent 4 }}
    app.kubernetes.io/component: {{ $side }}
  annotations:
    # Pods are made anew when the configuration changes.
    checksum/config: {{ toYaml $context.Values.config | sha256sum }}
    {{- if $context.Values.metrics.annotations }}
    prometheus.io/scrape: "true"
    prometheus.io/path: /metrics
    prometheus.io/port: {{ $context.Values.config.health.port | quote }}
    {{- end }}
spec:
  serviceAccountName: {{ include "straceback.name" $context }}
  automountServiceAccountToken: false
  # Looks that run are given half a minute to end.
  terminationGracePeriodSeconds: 75
  {{- with $context.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ $side }}
      image: {{ include "straceback.image" . }}
      imagePullPolicy: {{ $context.Values.image.pullPolicy }}
      args: [{{ $side }}]
      {{- with $context.Values.existingSecret }}
      envFrom:
        - secretRef:
            name: {{ . }}
      {{- end }}
      ports:
        - name: health
          containerPort: {{ $context.Values.config.health.port }}
        {{- if and (eq $side "bot") $context.Values.alerts.enabled }}
        - name: alerts
          containerPort: {{ $context.Values.alerts.port }}
        {{- end }}
      startupProbe:
        httpGet: { path: /healthz, port: health }
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: { path: /healthz, port: health }
        periodSeconds: 15
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { path: /readyz, port: health }
        periodSeconds: 10
        timeoutSeconds: 5
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/straceback/straceback.yaml
          subPath: straceback.yaml
          readOnly: true
        - name: data
          mountPath: /var/lib/straceback
        - name: tmp
          mountPath: /tmp
        {{- if and (eq $side "worker") $context.Values.sshSecret }}
        - name: ssh
          mountPath: /etc/straceback/ssh
          readOnly: true
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "straceback.name" $context }}
    - name: tmp
      emptyDir: {}
    - name: data
      {{- if and (eq $side "bot") $context.Values.bot.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ include "straceback.name" $context }}-bot
      {{- else }}
      emptyDir: {}
      {{- end }}
    {{- if and (eq $side "worker") $context.Values.sshSecret }}
    - name: ssh
      secret:
        secretName: {{ $context.Values.sshSecret }}
        defaultMode: 0440
    {{- end }}
  {{- with $context.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $context.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $context.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
