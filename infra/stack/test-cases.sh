import_image
example python-hello python "Hello from Skypanel"
example python-flask python "Hello from python-flask"
