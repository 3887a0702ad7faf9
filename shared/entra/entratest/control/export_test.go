package control

// Routes is the number of routes, with the list of them.
var Routes = len(routes) + 1
