package browser

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// Client is an application as the identity platform knows it.
type Client struct {
	Base        string // of the identity platform: "https://m365.example"
	ID          string
	Secret      string
	RedirectURL string
}

// Token signs an account in by way of the pages, for scopes parted by spaces, and
// redeems the code. rt reaches the identity platform.
func (c Client) Token(ctx context.Context, rt http.RoundTripper, login, scopes string) (*oauth2.Token, error) {
	at := c.Base + "/organizations/oauth2/v2.0/"
	cfg := &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret, RedirectURL: c.RedirectURL, Scopes: strings.Fields(scopes),
		Endpoint: oauth2.Endpoint{AuthURL: at + "authorize", TokenURL: at + "token", AuthStyle: oauth2.AuthStyleInParams},
	}
	back, err := Authorize(ctx, rt, cfg.AuthCodeURL("s"), login)
	if err != nil {
		return nil, err
	}
	return cfg.Exchange(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: rt}), back.Query().Get("code"))
}
