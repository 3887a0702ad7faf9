package identity

// Catalogue is the catalogue of errors, for tests from outside.
var Catalogue = stsErrors
