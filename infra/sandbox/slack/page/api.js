/** Asks the server. Throws its sentence when it refuses. */
async function ask(path, options) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `status ${response.status}`);
  return body;
}

export const fetchState = (user) => ask(`/page-api/state?user=${encodeURIComponent(user)}`);

/** Does something as a person; resolves when the app has answered or failed to. */
export const act = (body) =>
  ask('/page-api/act', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** Listens to changes; `onOpen` is called at each connection, so that nothing missed in between stays missing. */
export function listen(user, onOpen, onChange) {
  const source = new EventSource(`/page-api/changes?user=${encodeURIComponent(user)}`);
  source.addEventListener('open', onOpen);
  source.addEventListener('message', (event) => onChange(JSON.parse(event.data)));
  return () => source.close();
}
