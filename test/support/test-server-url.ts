/** Environment variable that carries the server's URL from the global setup to the workers. */
export const TEST_SERVER_URL = 'VESTIBULE_TEST_SERVER_URL';
