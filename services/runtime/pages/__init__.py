"""Pages for people: what the services' pages share. Server-rendered, readable without JavaScript."""
