/** What Grafana would ask Prometheus for a dashboard. */

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}

/** The panels' queries and the variables', as they are written. */
export function dashboardQueries(json: string): string[] {
  const { panels, templating } = JSON.parse(json) as Dashboard;
  return [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...templating.list.flatMap(({ definition }) => {
      const of = /^label_values\((.*), \w+\)$/.exec(definition ?? "")?.[1];
      return of === undefined ? [] : [of];
    }),
  ];
}

/** With Grafana's variables filled in. */
export function filledIn(query: string, job: string, interval: string): string {
  return query
    .replaceAll("$__rate_interval", interval)
    .replaceAll('"$job"', `"${job}"`)
    .replaceAll(/"\$\w+"/g, '".*"');
}
