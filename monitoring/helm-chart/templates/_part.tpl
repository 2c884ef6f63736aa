{{/*
One part of the stack: its Service and its StatefulSet. Takes a dict:
  name, port, values (of this part), top (the root context), uid, ready, live, data (path of its data),
  args, env (lists of text), mounts, volumes (YAML text), config (text whose checksum restarts the pod)
*/}}
{{- define "lan-hil-monitoring.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/part-of: lan-hil-monitoring
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .top.Chart.Name .top.Chart.Version }}
{{- end }}

{{- define "lan-hil-monitoring.part" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{- include "lan-hil-monitoring.labels" . | nindent 4 }}
spec:
  selector:
    app.kubernetes.io/name: {{ .name }}
    app.kubernetes.io/instance: {{ .top.Release.Name }}
  ports:
    - {name: http, port: {{ .port }}, targetPort: http}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  labels: {{- include "lan-hil-monitoring.labels" . | nindent 4 }}
spec:
  serviceName: {{ .name }}
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .name }}
      app.kubernetes.io/instance: {{ .top.Release.Name }}
  template:
    metadata:
      labels: {{- include "lan-hil-monitoring.labels" . | nindent 8 }}
      {{- with .config }}
      annotations:
        checksum/config: {{ sha256sum . }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .uid }}
        runAsGroup: {{ .uid }}
        fsGroup: {{ .uid }}
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      {{- with .top.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .top.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .top.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ .values.image | quote }}
          imagePullPolicy: IfNotPresent
          {{- with .args }}
          args: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .env }}
          env: {{- . | nindent 12 }}
          {{- end }}
          ports:
            - {name: http, containerPort: {{ .port }}}
          startupProbe:
            httpGet: {path: {{ .ready }}, port: http}
            periodSeconds: 5
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: {{ .ready }}, port: http}
            periodSeconds: 10
          livenessProbe:
            httpGet: {path: {{ .live }}, port: http}
            periodSeconds: 30
            failureThreshold: 4
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            {{- with .mounts }}{{ . | nindent 12 }}{{ end }}
            - {name: data, mountPath: {{ .data }}}
            - {name: tmp, mountPath: /tmp}
      volumes:
        {{- with .volumes }}{{ . | nindent 8 }}{{ end }}
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.storage.storageClassName }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources:
          requests: {storage: {{ .values.storage.size }}}
{{- end }}

{{/* A ConfigMap of the files that a pattern takes: name, pattern, top; in `also` more files by name. */}}
{{- define "lan-hil-monitoring.files" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{- include "lan-hil-monitoring.labels" . | nindent 4 }}
{{- $data := dict }}
{{- range $file, $_ := .top.Files.Glob .pattern }}
{{- $_ := set $data (base $file) ($.top.Files.Get $file) }}
{{- end }}
data: {{- toYaml (merge (.also | default dict) $data) | nindent 2 }}
{{- end }}
