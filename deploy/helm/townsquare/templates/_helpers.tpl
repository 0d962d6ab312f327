{{- define "townsquare.labels" -}}
app.kubernetes.io/name: townsquare
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "townsquare.selector" -}}
app.kubernetes.io/name: townsquare
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* The pod of one role: .root, .role, .args, .resources, .ready (the port whose /health is asked), .storage */}}
{{- define "townsquare.pod" -}}
metadata:
  labels:
    {{- include "townsquare.selector" . | nindent 4 }}
  annotations:
    checksum/settings: {{ toJson .root.Values.settings | sha256sum }}
spec:
  serviceAccountName: {{ .root.Release.Name }}-townsquare
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .root.Values.gracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "townsquare.selector" . | nindent 10 }}
  containers:
    - name: townsquare
      image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ toJson .args }}
      envFrom:
        - configMapRef: {name: {{ .root.Release.Name }}-townsquare}
        {{- with .root.Values.secret }}
        - secretRef: {name: {{ . }}}
        {{- end }}
      ports:
        {{- if eq .ready "http" }}
        - {name: http, containerPort: 3000}
        {{- end }}
        - {name: metrics, containerPort: 9394}
      startupProbe:
        httpGet: {path: /health/live, port: {{ .ready }}}
        periodSeconds: 2
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /health/ready, port: {{ .ready }}}
        periodSeconds: 3
        timeoutSeconds: 3
        failureThreshold: 2
      livenessProbe: # the process alone: an engine that is away is no reason to end it
        httpGet: {path: /health/live, port: {{ .ready }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        preStop: # requests still come until all proxies have heard that it leaves
          exec: {command: [sleep, {{ .root.Values.preStopSeconds | quote }}]}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /var/lib/townsquare}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
    {{- if not .storage }}
    - {name: data, emptyDir: {sizeLimit: 2Gi}}
    {{- end }}
{{- end }}
