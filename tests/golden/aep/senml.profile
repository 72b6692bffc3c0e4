senml-json
