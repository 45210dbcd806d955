# Loads weir's dashboards into OpenSearch Dashboards, by its import API.
#
# Only Terraform's own provider and curl are needed. The objects are loaded again when the file has
# changed; `terraform destroy` leaves them there. The password is in the environment,
# DASHBOARDS_PASSWORD, so that neither the state nor a plan holds it.

terraform {
  required_version = ">= 1.4"
}

variable "url" {
  description = "Where OpenSearch Dashboards is, with its base path: https://dashboards.example"
  type        = string
}

variable "username" {
  description = "Who loads them: needs write access to the tenant."
  type        = string
}

variable "tenant" {
  description = "The tenant to load them into: global, __user__ (one's own), or a tenant's name."
  type        = string
  default     = "global"
}

variable "overwrite" {
  description = "Whether objects of these ids are replaced, with what somebody changed in them."
  type        = bool
  default     = true
}

locals {
  objects = "${path.module}/../dashboards.ndjson"
}

resource "terraform_data" "dashboards" {
  triggers_replace = [filesha256(local.objects), var.url, var.tenant, var.overwrite]

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-euc"]
    environment = {
      URL       = var.url
      USERNAME  = var.username
      TENANT    = var.tenant
      OVERWRITE = var.overwrite
      OBJECTS   = local.objects
    }
    # The answer is a 200 also when objects were left out, so it is read.
    command = <<-EOT
      credentials=$(printf '%s:%s' "$USERNAME" "$DASHBOARDS_PASSWORD" | sed 's/["\\]/\\&/g')
      answer=$(printf 'user = "%s"\n' "$credentials" |
        curl -sS --fail-with-body --config - -X POST \
          "$URL/api/saved_objects/_import?overwrite=$OVERWRITE" \
          -H 'osd-xsrf: true' -H "securitytenant: $TENANT" --form "file=@$OBJECTS")
      case $answer in
        *'"success":true'*) ;;
        *) echo "not everything was loaded: $answer" >&2; exit 1 ;;
      esac
    EOT
  }
}
