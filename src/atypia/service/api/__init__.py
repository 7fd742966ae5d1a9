"""The documented API of the service, over HTTP; and the page that is served beside it."""
