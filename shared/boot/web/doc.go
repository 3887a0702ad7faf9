// Package web joins the admins' API to the core of package app. It stands beside app,
// since the API's framework is linked by whoever links it, and starts with each
// process: the functions without a way in by HTTP have none of it.
package web
