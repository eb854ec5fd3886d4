// The route that is compared. The programs on workerd know it as well as the bench itself.

export const PATH = "/api/v1/keys";
