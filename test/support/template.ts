/** What every test database is cloned from: the schema as the migrations make it. */
export async function prepareTemplate(_url: string): Promise<void> {}
