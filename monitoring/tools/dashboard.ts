// A Grafana dashboard as strict as its parts are published (npm: @grafana/schema): the frame's type leaves a panel's
// options, field options and queries open; here each panel type has those of its own plugin, and no other type passes.
import type * as schema from '@grafana/schema';
import type * as frame from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** The type as JSON has it: the members of a text enum are texts. */
type Json<T> = unknown extends T
  ? unknown
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends Array<infer Item>
        ? Array<Json<Item>>
        : { [Key in keyof T]: Json<T[Key]> };

/** Grafana's documentation of the Prometheus data source; its own package is under another licence. */
interface Query extends schema.DataQuery {
  expr: string;
  editorMode: 'code' | 'builder';
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range: boolean;
  legendFormat: string;
}

interface Annotation extends Omit<frame.AnnotationQuery, 'target'> {
  target: { refId: string; expr: string; interval: string };
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: boolean;
}

interface Fields<Custom> {
  defaults: Omit<frame.FieldConfig, 'custom'> & { custom?: Custom };
  overrides: frame.FieldConfigSource['overrides'];
}

type Open = 'type' | 'options' | 'fieldConfig' | 'targets' | 'id' | 'gridPos' | 'title' | 'description';
interface Of<Type extends string, Options, Custom> extends Omit<frame.Panel, Open> {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: frame.GridPos;
  options: Options;
  fieldConfig: Fields<Custom>;
  targets: Query[];
}

type Panel =
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Of<'stat', stat.Options, never>
  | Of<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Of<'state-timeline', timeline.Options, timeline.FieldConfig>
  | Of<'table', table.Options, Partial<table.FieldConfig>>;

interface Row extends Omit<frame.RowPanel, 'panels'> {
  panels: Panel[];
}

interface Frame extends Omit<frame.Dashboard, 'panels' | 'annotations' | 'uid' | 'title'> {
  uid: string;
  title: string;
  panels: Array<Panel | Row>;
  annotations: { list: Annotation[] };
}

export type Document = Json<Frame>;
