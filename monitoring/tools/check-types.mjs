// Checks JSON files against published TypeScript types:
//   node check-types.mjs dashboard FILE...   Grafana dashboards (dashboard.ts; npm: @grafana/schema)
//   node check-types.mjs operator FILE...    ServiceMonitor, PrometheusRule (operator.ts; npm: @kubernetes-models)
// An unknown field, a wrong type or a panel type that is gone (graph) fails. Exit code 1 if any file does.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = dirname(fileURLToPath(import.meta.url));
const [types, ...names] = process.argv.slice(2);
if (!types || !existsSync(join(here, `${types}.ts`)) || names.length === 0) {
  console.error('no types or no file to check: node check-types.mjs dashboard|operator FILE...');
  process.exit(2);
}

// Each file becomes a literal of the type: TypeScript looks for unknown fields in literals alone.
const head = `import type { Document } from './${types}';\nexport const it: Document = `;
const sources = new Map(names.map((name, index) => [join(here, `checked-${index}.ts`), resolve(name)]));

const options = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022,
};
const host = ts.createCompilerHost(options);
const { readFile, fileExists } = host;
host.fileExists = (name) => sources.has(name) || fileExists(name);
host.readFile = (name) => (sources.has(name) ? head + readFileSync(sources.get(name), 'utf-8') : readFile(name));

const program = ts.createProgram([...sources.keys()], options, host);
const found = ts.getPreEmitDiagnostics(program);
for (const one of found) {
  const text = ts.flattenDiagnosticMessageText(one.messageText, '\n');
  const place = one.file?.getLineAndCharacterOfPosition(one.start ?? 0);
  const name = one.file ? (sources.get(one.file.fileName) ?? one.file.fileName) : '';
  console.error(`${name}:${place ? place.line : 0}: ${text}`);
}
process.exit(found.length > 0 ? 1 : 0);
