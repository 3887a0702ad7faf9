package directory

// Version is which Bindery this is: the foot of the console's pages and the description of
// the API say it. It stands here alone, so that every build has it, by whatever flags.
const Version = "0.9"
